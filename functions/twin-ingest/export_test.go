package twiningest

// SetStrayBounds has so many messages kept of no twin, of one reference, and bytes, of which one who speaks has one part in share, looked at
// after so many messages or bytes. It returns what undoes it.
func SetStrayBounds(messages, of, size, share, after, afterSize int) (undo func()) {
	before := strayKept
	strayKept = strayBounds{messages, of, size, share, after, afterSize}
	return func() { strayKept = before }
}
