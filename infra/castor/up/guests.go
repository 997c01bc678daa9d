package up

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
)

// guestID is what a gateway's id must be like to enter the bus with it: it is a word of subjects there.
var guestID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// guest tells what a gateway that runs in a process of its own may do on the bus: take its own devices' downlinks, read its own
// bucket, agree with its replicas, and hear of credentials and drivers. What it has applied it tells function gateways.
func guest(parts []byte, id, password string) (bus.Scope, bool) {
	if !guestID.MatchString(id) || subtle.ConstantTimeCompare([]byte(password), []byte(platform.DeriveBus(parts, id))) != 1 {
		return bus.Scope{}, false
	}
	return bus.Scope{User: id, Gateway: id, Peers: api.PeersOf(id), Bucket: api.BucketOf(id),
		Watches: []event.Topic{event.CredentialChanged, event.DriverChanged, event.TypeChanged}}, true
}

// Addresses are where a running platform is reached by gateways in processes of their own.
type Addresses struct {
	URL  string `json:"url"`            // the user gateway
	NATS string `json:"nats,omitempty"` // the bus; "" = it is in the platform's process only
}

const addressesFile = "castor.addresses"

// ReadAddresses reads the addresses of the platform that runs in a data directory. Where none runs, the error says so.
func ReadAddresses(dir string) (a Addresses, err error) {
	b, err := os.ReadFile(filepath.Join(dir, addressesFile))
	if errors.Is(err, os.ErrNotExist) {
		return a, fmt.Errorf("no castor up runs in %s: start it, or name its data directory by --data", dir)
	}
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	return a, err
}

func (d *dataDir) writeAddresses(a Addresses) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return os.WriteFile(d.sub(addressesFile), append(b, '\n'), 0o600)
}
