package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A screen is what a command has printed until now.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Who follows a log sees its newest lines, and then each that comes once, also one that the device's clock has before others.
func TestTwinLogFollow(t *testing.T) {
	p := newPerson(t)
	p.login(functiontest.Admin)
	p.does(words("group create press"), "")
	p.does(words("twin apply -f -"), "id: pump\nkind: type\ndefinition: {owner: press}\n---\nid: pump-7\nkind: instance\ndefinition: {type: pump, owner: press}\n", "created")
	p.Enrol("op-1", 1, "pump-7")
	seq := int64(0)
	say := func(ago int, app, text string) {
		t.Helper()
		seq++
		at := start.Add(-time.Duration(ago) * time.Second)
		r, err := p.Part("connector", "op-1").Ingest(context.Background(), telemetry.Batch{Gateway: "op-1", Messages: []telemetry.Message{{Twin: "pump-7", Generation: 1, Kind: telemetry.Log,
			Time: at, Received: at, Order: twin.Order{Epoch: 1, Seq: seq * 1024, Assigned: true}, Gateway: "op-1",
			Samples: []telemetry.Sample{{Property: "app", Value: app}, {Property: "level", Value: "info"}, {Property: "text", Value: text}}}}})
		if err != nil || r.Outcomes[0] != telemetry.Stored {
			t.Fatal(r, err)
		}
	}
	say(50, "driver", "first")
	say(40, "driver", "second")
	say(30, "motor", "third")
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	var table, lines screen
	ended := make(chan error)
	go func() {
		ended <- p.castorTo(ctx, "", &table, io.Discard, words("twin log pump-7 --follow --limit 1 --app driver")...)
	}()
	go func() { ended <- p.castorTo(ctx, "", &lines, io.Discard, words("twin log pump-7 -f -o json")...) }()
	sees := func(s *screen, text string) {
		t.Helper()
		functiontest.Eventually(t, "the line "+text, func() bool { return strings.Contains(s.String(), text) })
	}
	sees(&table, "second")
	sees(&lines, "third")
	say(20, "driver", "fourth")
	say(45, "driver", "from\x1b[2Jbefore")
	say(10, "motor", "fifth")
	sees(&table, "from?[2Jbefore")
	sees(&table, "fourth")
	sees(&lines, "fifth")
	say(5, "driver", "sixth")
	sees(&table, "sixth")
	sees(&lines, "sixth")
	interrupt()
	for range 2 {
		if err := <-ended; err != nil {
			t.Errorf("Ctrl-C is told as %v", err)
		}
	}
	got := strings.Split(strings.TrimSpace(table.String()), "\n")
	if len(got) != 4 || !strings.HasSuffix(got[0], "info   driver    second") || !strings.Contains(got[3], "sixth") {
		t.Errorf("the lines are\n%s", table.String())
	}
	all := strings.Split(strings.TrimSpace(lines.String()), "\n")
	if len(all) != 7 {
		t.Errorf("as JSON there are\n%s", lines.String())
	}
	for _, line := range all {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Text == "" {
			t.Errorf("%s: %v", line, err)
		}
	}
	p.fails(words("twin log pump-7 --follow --to 2026-01-01"), "--follow", "--to")
	p.fails(words("twin log pump-7 --follow -o csv"), "--follow", "table or json")
	p.fails(words("twin log nobody --follow"), "nobody")
}
