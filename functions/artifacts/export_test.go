package artifacts

import "time"

// SliceFor changes how long one call reads content, until the function returned is called.
func SliceFor(d time.Duration) (back func()) {
	was := sliceFor
	sliceFor = d
	return func() { sliceFor = was }
}
