package twin

import "slices"

// MaxMissing bounds Live.Missing.
const MaxMissing = 16

// A Span is the numbers of a device's between two that have come, both excluded.
type Span struct {
	After  Order `bson:"a"`
	Before Order `bson:"b"`
}

func (s Span) has(o Order) bool { return o.After(s.After) && s.Before.After(o) }

func (s Span) empty() bool {
	return !s.Before.After(s.After) || s.After.Epoch == s.Before.Epoch && s.After.Seq == s.Before.Seq-1
}

// Come notes a number of the device's, before Last is. It tells whether the number is certainly one that has not come: it is newer than
// all, or within a span that is missing. Of others nothing is known here, for only the newest MaxMissing spans are kept.
func (l *Live) Come(o Order) (new bool) {
	if o.After(l.Last) {
		from := l.Last
		if from.Assigned { // the first that the device has numbered
			from = Order{}
		}
		l.miss(len(l.Missing), Span{from, o})
		return true
	}
	i := slices.IndexFunc(l.Missing, func(s Span) bool { return s.has(o) })
	if i < 0 {
		return false
	}
	was := l.Missing[i]
	l.Missing = slices.Delete(l.Missing, i, i+1)
	l.miss(i, Span{was.After, o}, Span{o, was.Before})
	return true
}

// miss puts spans at a place of those that are missing, the oldest of which are forgotten.
func (l *Live) miss(at int, spans ...Span) {
	l.Missing = slices.Insert(l.Missing, at, slices.DeleteFunc(spans, Span.empty)...)
	l.Missing = slices.Delete(l.Missing, 0, max(0, len(l.Missing)-MaxMissing))
}
