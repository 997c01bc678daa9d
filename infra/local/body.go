package local

import (
	"errors"
	"io"

	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3err"
)

// A body yields what a request announced, or ErrIncompleteBody. The HTTP server tells a connection that was cut like the
// regular end of a body, and the file backend takes io.ErrUnexpectedEOF for one too, when its file is as long as announced
// already.
type body struct {
	io.Reader
	left int64 // bytes
}

// A summedBody is a body in chunks, with the checksum that is sent behind them.
type summedBody struct {
	body
	sum middlewares.ChecksumReader
}

func (b *summedBody) Algorithm() string { return b.sum.Algorithm() }
func (b *summedBody) Checksum() string  { return b.sum.Checksum() }

// whole has a request's body end well only if it has size bytes.
func whole(r io.Reader, size *int64) io.Reader {
	if r == nil || size == nil {
		return r
	}
	if sum, ok := r.(middlewares.ChecksumReader); ok {
		return &summedBody{body{r, *size}, sum}
	}
	return &body{r, *size}
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.left -= int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF && b.left > 0 {
		err = s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	return n, err
}
