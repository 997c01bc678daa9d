package agent

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/castor-iot/castor/agent/internal/disk"
	"github.com/castor-iot/castor/agent/spool"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// Status is what a device's directory tells.
type Status struct {
	Running     bool        `json:"running"` // an agent works in the directory
	Provisioned bool        `json:"provisioned"`
	Confirmed   bool        `json:"confirmed"`
	Ref         device.Ref  `json:"ref,omitempty"`
	Serial      string      `json:"serial,omitempty"` // it came in by
	Twin        twin.ID     `json:"twin,omitempty"`
	Gateway     string      `json:"gateway,omitempty"`
	CA          string      `json:"-"`                // PEM: of the platform it belongs to
	Expires     time.Time   `json:"expires,omitzero"` // of the certificate
	Phase       Progress    `json:"phase,omitzero"`   // the last one entered
	Spool       spool.Stats `json:"spool"`            // dropped is not known from outside
}

// ReadStatus reads what the directory tells, also while an agent works in it. It changes nothing, and returns
// os.ErrNotExist if there is no such directory.
func ReadStatus(dir string) (st Status, err error) {
	if _, err := os.Stat(dir); err != nil {
		return st, err
	}
	v := vault{dir: dir}
	id, err := loadIdentity(&v, slog.New(slog.DiscardHandler))
	if err != nil {
		return st, err
	}
	if id.bundle != nil {
		st.Provisioned, st.Confirmed = true, id.confirmed
		st.Ref, st.Twin, st.Gateway, st.Expires = id.bundle.Ref, id.bundle.Twin, id.bundle.Gateway, id.cert.Leaf.NotAfter
		st.Serial, st.CA = id.serial, id.bundle.CA
	}
	if b, err := v.read(phaseName); err == nil {
		if err := json.Unmarshal(b, &st.Phase); err != nil {
			st.Phase = Progress{} // it was being written
		}
	}
	if st.Running, err = locked(filepath.Join(dir, lockName)); err != nil {
		return st, err
	}
	st.Spool, err = spool.Peek(filepath.Join(dir, spoolName))
	return st, err
}

// locked tells whether somebody holds the lock.
func locked(path string) (bool, error) {
	if _, err := os.Stat(path); err != nil {
		return false, nil
	}
	var l io.Closer
	l, err := disk.Lock(path)
	if errors.Is(err, disk.ErrInUse) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, l.Close()
}
