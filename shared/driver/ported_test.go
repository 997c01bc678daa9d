package driver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// echo answers each call by the port it was called with as bytes, and by what is in its data.
type echo struct{ err error }

func (e echo) Run(_ context.Context, calls []driver.Call) ([]driver.Result, error) {
	if e.err != nil {
		return nil, e.err
	}
	out := make([]driver.Result, len(calls))
	for i, c := range calls {
		out[i], _ = c.Data.(driver.Result)
		out[i].Bytes = []byte{byte(c.Port)}
	}
	return out, nil
}

// A driver's port counts where neither the call nor the code names one.
func TestPorted(t *testing.T) {
	encode := func(port int, r driver.Result) driver.Call {
		return driver.Call{Op: driver.EncodeDownlink, Port: port, Data: r}
	}
	for name, c := range map[string]struct {
		port int
		call driver.Call
		want string // the port it was called with, and the one that comes out
	}{
		"none is named":          {10, encode(0, driver.Result{}), "10 10"},
		"the code names one":     {10, encode(0, driver.Result{Port: 7}), "10 7"},
		"the call names one":     {10, encode(3, driver.Result{}), "3 3"},
		"both do":                {10, encode(3, driver.Result{Port: 7}), "3 7"},
		"the code names a topic": {10, encode(0, driver.Result{Topic: "a/b"}), "10 0"},
		"it refuses":             {10, encode(0, driver.Result{Errors: []string{"no"}}), "10 0"},
		"it fails":               {10, encode(0, driver.Result{Failure: driver.Exception}), "10 0"},
		"an uplink":              {10, driver.Call{Op: driver.DecodeUplink, Data: driver.Result{}}, "0 0"},
		"a driver without":       {0, encode(3, driver.Result{}), "3 0"},
	} {
		calls := []driver.Call{{Op: driver.NormalizeUplink}, c.call}
		results, err := driver.Ported(echo{}, c.port).Run(t.Context(), calls)
		if err != nil || len(results) != 2 {
			t.Fatal(results, err)
		}
		if got := fmt.Sprint(results[1].Bytes[0], results[1].Port); got != c.want || results[0].Port != 0 {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if calls[1].Port != c.call.Port {
			t.Errorf("%s: the caller's calls are changed", name)
		}
	}
	gone := errors.New("gone")
	if results, err := driver.Ported(echo{gone}, 1).Run(t.Context(), []driver.Call{encode(0, driver.Result{})}); results != nil || !errors.Is(err, gone) {
		t.Error(results, err)
	}
}
