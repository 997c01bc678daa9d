package spool

import "github.com/castor-iot/castor/shared/twin"

// runs counts the messages in the segments that are not done with. Numbers follow each other within an epoch, so that a
// backlog of a million messages is a handful of runs.
type runs []run

type run struct{ epoch, first, last int64 }

// add counts o, which comes after all that are counted.
func (r *runs) add(o twin.Order) {
	if n := len(*r); n > 0 {
		if last := &(*r)[n-1]; last.epoch == o.Epoch && last.last+1 == o.Seq {
			last.last++
			return
		}
	}
	*r = append(*r, run{o.Epoch, o.Seq, o.Seq})
}

// trim stops counting everything up to o and tells how many that were.
func (r *runs) trim(o twin.Order) (n int) {
	for len(*r) > 0 {
		first := &(*r)[0]
		if last := (twin.Order{Epoch: first.epoch, Seq: first.last}); last.After(o) {
			if first.epoch == o.Epoch && first.first <= o.Seq {
				n += int(o.Seq - first.first + 1)
				first.first = o.Seq + 1
			}
			return n
		}
		n += int(first.last - first.first + 1)
		*r = (*r)[1:]
	}
	return n
}

func (r runs) len() (n int) {
	for _, run := range r {
		n += int(run.last - run.first + 1)
	}
	return n
}
