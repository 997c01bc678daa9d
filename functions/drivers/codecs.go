package drivers

import (
	"context"
	"sync/atomic"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/shelf"
)

// A codec is a version that is ready to be called, and whether it lacks on_event.
type codec struct {
	driver.Codec
	lacks atomic.Bool
}

func newCodecs(f *function) *shelf.Shelf[*codec] {
	return shelf.New(f.read, func(ctx context.Context, d *driver.Driver) (*codec, error) {
		opened, err := f.codec(ctx, d)
		return &codec{Codec: opened}, err
	})
}

// opened is a version ready to be called here: for what was parked, and for what twins say.
func (f *function) opened(ctx context.Context, u *api.UsedDriver) (*codec, error) {
	return f.codecs.Get(ctx, driver.Driver{Name: u.Name, Version: u.Version, Kind: u.Kind, Limit: u.Limit.D(), Port: u.Port}, u.Digest)
}
