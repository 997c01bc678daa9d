package store

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// whole tells whether the range leaves nothing out.
func (r Range) whole() bool { return r.From == 0 && r.To == 0 }

func (r *Range) raise(lo bson.RawValue, open bool) {
	if c := Compare(lo, r.Lo); r.Lo.Type == 0 || c > 0 || c == 0 && open {
		r.Lo, r.LoOpen = lo, open
	}
}

func (r *Range) lower(hi bson.RawValue, open bool) {
	if c := Compare(hi, r.Hi); r.Hi.Type == 0 || c < 0 || c == 0 && open {
		r.Hi, r.HiOpen = hi, open
	}
}

// side tells whether v is below (-1), within (0) or above (1) the range.
func (r Range) side(v bson.RawValue) int {
	class := ClassOf(v.Type)
	switch {
	case r.whole():
		return 0
	case class < r.From:
		return -1
	case class > r.To:
		return 1
	}
	if c := Compare(v, r.Lo); r.Lo.Type != 0 && (c < 0 || c == 0 && r.LoOpen) {
		return -1
	}
	if c := Compare(v, r.Hi); r.Hi.Type != 0 && (c > 0 || c == 0 && r.HiOpen) {
		return 1
	}
	if s, _ := v.StringValueOK(); r.Prefix != "" && !strings.HasPrefix(s, r.Prefix) {
		return strings.Compare(s, r.Prefix)
	}
	return 0
}

// beyond returns the parts of r after v, which is within r, upwards or downwards, in the order of the walk.
func (r Range) beyond(v bson.RawValue, up bool) (parts []Range) {
	class := ClassOf(v.Type)
	if class != ClassNull {
		part := r
		if r.whole() {
			part = Range{From: class, To: class}
		}
		if up {
			part.raise(v, true)
		} else {
			part.lower(v, true)
		}
		parts = append(parts, part)
	}
	if !r.whole() {
		return parts
	}
	first, last := Classes[0], Classes[len(Classes)-1]
	switch {
	case up && class < last:
		parts = append(parts, Range{From: max(class+1, first), To: last})
	case !up && class > first:
		parts = append(parts, Range{From: first, To: class - 1})
	}
	if !up && class > ClassNull { // null is apart, because a missing field is null too
		parts = append(parts, Range{From: ClassNull, To: ClassNull})
	}
	return parts
}
