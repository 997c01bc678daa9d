package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
)

// What a person types to have a device do something, and reads of what became of it.
func TestCommands(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	twins, err := platform.OpenTwins(context.Background(), p.Base.DB)
	if err != nil {
		t.Fatal(err)
	}
	if err := twins.Insert(context.Background(), twin.Twin{ID: "valve-1", Kind: twin.Instance, Created: start.Add(-time.Hour),
		Definition: twin.Definition{Type: "valve", Phase: twin.Operational}}); err != nil {
		t.Fatal(err)
	}
	p.fails(words("command send valve-1 open --input {"), "--input", "JSON")
	p.fails(words("command send valve-1 0pen"), "name", "beginning with a letter")
	p.fails(words("command send valve-9 open"), `there is no twin "valve-9"`)
	p.fails(words("command send valve-1 open --timeout 31d"), "timeout")
	var n api.Command
	if err := json.Unmarshal([]byte(p.does([]string{"command", "send", "valve-1", "open", "--input", "@-", "--timeout", "7d", "-o", "json"}, `{"percent": 40}`)), &n); err != nil || n.ID == "" {
		t.Fatalf("send prints %+v, %v", n, err)
	}
	p.does(words("command send valve-1 close --key shift-2"), "", "is queued", "castor command get cmd-")
	p.does(words("command send valve-1 close --key shift-2"), "", "is queued")
	p.fails(words("command send valve-1 open --key shift-2"), "new key")
	p.does(words("command list --twin valve-1 --state open"), "", n.ID, "open", "close", "user:admin")
	p.does(words("command get "+n.ID), "", `{"percent":40}`, "queued", "by user:admin", "168h")
	p.does(words("command cancel "+n.ID), "", "command "+n.ID+" cancelled")
	p.does(words("command get "+n.ID), "", "cancelled", "before the device had it")
	p.fails(words("command list --state gone"), "state", "open")

	// With --wait the end is the command's.
	ended := make(chan error, 1)
	go func() {
		_, _, err := p.castor("", words("command send valve-1 open --timeout 10s --wait")...)
		ended <- err
	}()
	for {
		p.SetTime(p.Now().Add(time.Second))
		if err := p.Tick("twin-command", p.Now()); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "timedOut: the device was not there in time") {
				t.Errorf("a command that timed out ended with %v", err)
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}
