package twinhistory

// SetMaxScanned changes how many records one answer looks at, until the returned function is called.
func SetMaxScanned(n int) (reset func()) {
	was := maxScanned
	maxScanned = n
	return func() { maxScanned = was }
}
