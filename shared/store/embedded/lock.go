package embedded

import (
	"hash/maphash"
	"math/bits"
)

// stripes is how many locks a table's keys share.
const stripes = 512

// A lockSet names stripes, one bit for each.
type lockSet [stripes / 64]uint64

func (t *table) want(set *lockSet, key []byte) {
	n := maphash.Bytes(t.seed, key) % stripes
	set[n/64] |= 1 << (n % 64)
}

// lock takes the locks of a set in their order, so that two writers never wait for each other.
func (t *table) lock(set *lockSet)   { set.each(func(n int) { t.stripes[n].Lock() }) }
func (t *table) unlock(set *lockSet) { set.each(func(n int) { t.stripes[n].Unlock() }) }

func (set *lockSet) each(do func(int)) {
	for i, word := range set {
		for ; word != 0; word &= word - 1 {
			do(i*64 + bits.TrailingZeros64(word))
		}
	}
}
