package e2e

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// An owner changes all pumps in one go and is told how far it is; then has them deleted. What they said is in archives that
// the owner can fetch, and nowhere else any more.
func TestManyTwinsAreChangedAndArchived(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		w := NewWorld(t, stage)
		w.Type("pump")
		owner := w.Owner("plant")
		pumps := []*device.Device{w.Provision("pump", "P-1", "plant"), w.Provision("pump", "P-2", "plant"), w.Provision("pump", "P-3", "shop")}
		for _, p := range pumps {
			w.Measure(p, "rpm", 1, 2, 3)
			w.Drained(p)
		}
		for _, p := range pumps {
			w.Eventually("history has it all", func() bool { return len(w.History(p.Twin(), "rpm")) == 3 })
		}
		done := func(in api.NewJob, want int) {
			t.Helper()
			j, err := owner.CreateJob(w.Context(), in)
			w.must(err, "job")
			w.Eventually("the job ends", func() bool {
				j, err = owner.GetJob(w.Context(), j.ID)
				w.must(err, "job")
				return j.State.Ended()
			})
			if j.State != api.JobDone || j.Done != want || j.Failed != 0 || j.By != "user:plant-owner" {
				t.Errorf("the job ended as %+v, want %d done", j, want)
			}
		}
		all := api.JobFilter{Type: "pump"}
		done(api.NewJob{Action: api.JobMerge, Filter: all, Patch: json.RawMessage(`{"tags":["summer"]}`)}, 2)
		if tags := w.Twin(pumps[0].Twin()).Definition.Tags; len(tags) != 1 || tags[0] != "summer" {
			t.Errorf("tags are %v", tags)
		}
		if tags := w.Twin(pumps[2].Twin()).Definition.Tags; len(tags) != 0 {
			t.Errorf("the other group's pump has tags %v", tags)
		}
		done(api.NewJob{Action: api.JobPhase, Filter: all, Phase: twin.Suspended}, 2)
		done(api.NewJob{Action: api.JobDelete, Filter: all}, 2)

		var kept []api.Archive
		w.Eventually("both are archived", func() bool {
			page, err := owner.ListArchives(w.Context(), "")
			w.must(err, "archives")
			kept = page.Items
			return len(kept) == 2 && kept[0].State == api.ArchiveReady && kept[1].State == api.ArchiveReady
		})
		for _, a := range kept {
			u, err := owner.ArchiveURL(w.Context(), a.ID)
			w.must(err, "download")
			if records := recordsOf(t, u.URL, "rpm"); records != 3 {
				t.Errorf("archive %s has %d readings of rpm, want 3", a.ID, records)
			}
		}
		if len(w.History(pumps[2].Twin(), "rpm")) != 3 {
			t.Error("the other group's pump has lost history")
		}
		w.must(owner.EraseArchive(w.Context(), kept[0].ID), "erase")
		w.Eventually("it is erased", func() bool {
			page, err := owner.ListArchives(w.Context(), "")
			w.must(err, "archives")
			return len(page.Items) == 1
		})
	})
}

// recordsOf counts what an archive has of a property.
func recordsOf(t *testing.T, url, property string) (n int) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		t.Fatalf("download: %s: %s", resp.Status, b)
	}
	zip, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(zip); lines.Scan(); {
		var line api.ArchiveLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Record != nil {
			for _, s := range line.Record.Samples {
				if s.Property == property {
					n++
				}
			}
		}
	}
	return n
}

// Whoever looks for what a twin can do finds those that are theirs; and the watchdog shows that it is at work.
func TestTwinsAreFoundAndTheWatchdogIsAtWork(t *testing.T) {
	on(t, func(t *testing.T, stage Option) {
		w := NewWorld(t, stage)
		w.Type("pump")
		owner := w.Owner("plant")
		mine := w.Provision("pump", "P-1", "plant")
		w.Provision("pump", "P-2", "shop")
		w.Eventually("the own pump is found by its property", func() bool {
			page, err := owner.FindTwins(w.Context(), api.ServiceQuery{Capability: "property:rpm"})
			w.must(err, "find")
			if len(page.Items) > 1 || len(page.Items) == 1 && page.Items[0].Name != string(mine.Twin()) {
				t.Fatalf("found %+v", page.Items)
			}
			return len(page.Items) == 1
		})
		w.Eventually("the watchdog's heart beats", func() bool {
			beat, err := w.Admin.WatchdogHeartbeat(w.Context())
			w.must(err, "heartbeat")
			return w.Now().Sub(beat.At) < time.Minute
		})
	})
}
