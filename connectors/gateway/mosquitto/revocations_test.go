package mosquitto_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/castor-iot/castor/connectors/gateway/mosquitto"
)

// The list is there before mosquitto is, which does not start without it, also when the platform comes late.
func TestTheListIsWrittenBeforeMosquittoIsThere(t *testing.T) {
	asked := 0
	r := mosquitto.Revocations{File: filepath.Join(t.TempDir(), "revoked.pem"), Reload: func() error { return errors.New("no such process") },
		Get: func(context.Context) ([]byte, error) {
			if asked++; asked == 1 {
				return nil, errors.New("the platform is away")
			}
			return []byte("list"), nil
		}}
	faults := 0
	r.Begin(t.Context(), func(error) { faults++ })
	if b, err := os.ReadFile(r.File); err != nil || string(b) != "list" || faults != 2 {
		t.Errorf("the file has %q, %v, after %d faults", b, err, faults)
	}
}
