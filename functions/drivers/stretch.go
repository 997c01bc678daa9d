package drivers

import (
	"cmp"
	"slices"

	"github.com/castor-iot/castor/shared/api"
)

// A stretch is messages that a twin has said one after the other, by their records in history. They are numbered, so that each counts once
// in whatever order the stretches come.
type stretch struct {
	First   bool     `bson:"first,omitempty"` // nothing of the twin was told before
	Number  int64    `bson:"number"`          // of the last
	Records []string `bson:"records"`         // their ids, without the twin's and the bar behind it
}

// from is the number before the first.
func (s stretch) from() int64 { return s.Number - int64(len(s.Records)) }

// after is what is left of a stretch behind a number.
func (s stretch) after(number int64) stretch {
	if done := number - s.from(); done > 0 {
		s.First, s.Records = false, s.Records[min(done, int64(len(s.Records))):]
	}
	return s
}

// follows tells whether nothing is missing before the stretch.
func (s stretch) follows(v *reaction) bool { return s.First || s.from() <= v.Number }

// stretches are of one twin, in any order; the same may be there several times.
type stretches []stretch

// beyond is what is left of them behind a number, in order, each message once; short ones are joined.
func (all stretches) beyond(number int64) (left stretches) {
	for _, s := range slices.SortedFunc(slices.Values(all), func(a, b stretch) int { return cmp.Compare(a.Number, b.Number) }) {
		last := len(left) - 1
		if last >= 0 {
			number = max(number, left[last].Number)
		}
		if s = s.after(number); len(s.Records) == 0 {
			continue
		}
		if last >= 0 && !s.First && left[last].Number == s.from() && len(left[last].Records)+len(s.Records) <= api.MaxHeard {
			left[last].Number, left[last].Records = s.Number, slices.Concat(left[last].Records, s.Records)
		} else {
			left = append(left, s)
		}
	}
	return left
}
