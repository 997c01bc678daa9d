package agent

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"sync"
)

// deedsName is the file of what was carried out.
const deedsName = "commands.json"

const (
	maxDeeds      = 256   // remembered; more than the platform has of one device under way or would take a late answer to
	maxRemembered = 4_096 // bytes of an output that are sent again; the first answer has all of it
)

// deeds remember which commands were begun and what was answered, so that none is carried out twice.
type deeds struct {
	vault *vault
	log   *slog.Logger

	mu  sync.Mutex
	all []deed // oldest first
}

// A deed is one command that was begun; Answer is nil until it is done. Unsent answers are not in the spool yet.
type deed struct {
	ID     string  `json:"id"`
	Answer *answer `json:"answer,omitempty"`
	Unsent bool    `json:"unsent,omitempty"`
}

func loadDeeds(v *vault, log *slog.Logger) (*deeds, error) {
	d := &deeds{vault: v, log: log}
	b, err := v.read(deedsName)
	if errors.Is(err, os.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &d.all); err != nil { // files are replaced whole, so somebody else wrote it
		log.Error("what was carried out is not readable, and forgotten", "error", err)
		d.all = nil
	}
	return d, nil
}

// find tells whether a command was begun, and what was answered; nil if nothing yet.
func (d *deeds) find(id string) (begun bool, done *answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.all {
		if d.all[i].ID == id {
			return true, d.all[i].Answer
		}
	}
	return false, nil
}

// begin notes, durably, that the command is being carried out.
func (d *deeds) begin(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.change(id, func(x *deed) {})
	d.keep()
}

// finish notes the answer, durably.
func (d *deeds) finish(id string, ans answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.change(id, func(x *deed) { x.Answer, x.Unsent = &ans, true })
	d.keep()
}

// sent notes that the answer is in the spool; a long output need not be remembered then. That is kept with the next deed: an
// answer may be sent twice.
func (d *deeds) sent(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.all {
		x := &d.all[i]
		if x.ID != id || !x.Unsent {
			continue
		}
		x.Unsent = false
		if ans := *x.Answer; len(ans.Output) > maxRemembered {
			ans.Output, ans.Reason = nil, "the output was sent with the first answer"
			x.Answer = &ans
		}
	}
}

// unsent are the deeds whose answers may not have come into the spool.
func (d *deeds) unsent() (all []deed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.all {
		if x.Unsent && x.Answer != nil {
			all = append(all, x)
		}
	}
	return all
}

func (d *deeds) change(id string, f func(*deed)) {
	for i := range d.all {
		if d.all[i].ID == id {
			f(&d.all[i])
			return
		}
	}
	x := deed{ID: id}
	f(&x)
	d.all = append(d.all, x)
	if n := len(d.all) - maxDeeds; n > 0 {
		d.all = append([]deed(nil), d.all[n:]...)
	}
}

// keep writes what is remembered. When the disk takes nothing, the agent goes on with what it has in memory.
func (d *deeds) keep() {
	b, err := json.Marshal(d.all)
	if err == nil {
		err = d.vault.keep(deedsName, b)
	}
	if err != nil {
		d.log.Error("what was carried out is not kept", "error", err)
	}
}
