package twins_test

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/objecttest"
)

// said makes an operational twin of type pump and group plant with n records of history, of text that cannot be compressed
// much where text is more than 0 bytes, a place in time of one, and a parked message.
func (w *world) said(id twin.ID, n, text int) {
	w.t.Helper()
	history, err := platform.OpenHistory(ctx, w.Base.DB)
	must(w.t, err)
	parked, err := platform.OpenParked(ctx, w.Base.DB)
	must(w.t, err)
	now := w.Now().UTC().Truncate(time.Millisecond)
	must(w.t, w.twins.PutMany(ctx, []twin.Twin{{ID: id, Kind: twin.Instance, Created: now, Definition: twin.Definition{Version: 1, Type: "pump", Owner: "plant",
		Name: "Pump 7", Phase: twin.Operational}, Live: twin.Live{Messages: int64(n)}}}))
	random := rand.NewChaCha8([32]byte{1})
	raw := make([]byte, text/4*3)
	all := []api.Record{{ID: string(id) + "|~0|0", Twin: id, Received: now}}
	for i := range n {
		random.Read(raw)
		at := now.Add(time.Duration(i) * time.Second)
		all = append(all, api.Record{ID: api.RecordKey(id, at) + "|x", Twin: id, Kind: telemetry.Telemetry, At: at, Received: at,
			Samples: []telemetry.Sample{{Property: "text", Value: base64.StdEncoding.EncodeToString(raw)}}})
		if len(all) == 1000 {
			must(w.t, history.PutMany(ctx, all))
			all = all[:0]
		}
	}
	must(w.t, history.PutMany(ctx, all))
	must(w.t, parked.PutMany(ctx, []api.ParkedMessage{{ID: string(id) + "|p", Twin: id, Raw: []byte{0, 255}, Received: now}}))
}

// gone lets d pass and has the function work until the tombstones are gone.
func (w *world) gone(d time.Duration) {
	w.t.Helper()
	for range 30 {
		w.SetTime(w.Now().Add(d))
		must(w.t, w.Tick("twins", w.Now()))
		w.sweep()
		if n, err := w.twins.Count(ctx, store.Exists("deleted", true), "by-deleted"); err == nil && n == 0 {
			return
		}
		d = 90 * time.Second
	}
	w.t.Fatal("there is still a tombstone")
}

// download reads an archive as its owner does, and checks that it is what the platform says.
func download(t *testing.T, c *api.Client, a api.Archive) (lines []map[string]json.RawMessage) {
	t.Helper()
	u, err := c.ArchiveURL(ctx, a.ID)
	must(t, err)
	resp, err := http.Get(u.URL)
	must(t, err)
	defer resp.Body.Close()
	sum, size := sha256.New(), 0
	zip, err := gzip.NewReader(io.TeeReader(resp.Body, countTo(sum, &size)))
	must(t, err)
	read := bufio.NewScanner(zip)
	read.Buffer(nil, 1<<20)
	for read.Scan() {
		var line map[string]json.RawMessage
		must(t, json.Unmarshal(read.Bytes(), &line))
		lines = append(lines, line)
	}
	must(t, read.Err())
	if hex.EncodeToString(sum.Sum(nil)) != a.SHA256 || int64(size) != a.Size {
		t.Errorf("it has %d bytes and hash %x, the platform says %d and %s", size, sum.Sum(nil), a.Size, a.SHA256)
	}
	return lines
}

type counting struct {
	io.Writer
	n *int
}

func (c counting) Write(b []byte) (int, error) { *c.n += len(b); return c.Writer.Write(b) }

func countTo(w io.Writer, n *int) io.Writer { return counting{w, n} }

func (w *world) left(id twin.ID) (records, parked int) {
	w.t.Helper()
	history, err := platform.OpenHistory(ctx, w.Base.DB)
	must(w.t, err)
	p, err := platform.OpenParked(ctx, w.Base.DB)
	must(w.t, err)
	records, err = history.Count(ctx, store.And(store.Gte("_id", string(id)+"|"), store.Lt("_id", string(id)+"}")), "")
	must(w.t, err)
	parked, err = p.Count(ctx, store.Eq("twin", id), "by-twin")
	must(w.t, err)
	return records, parked
}

func newArchiveWorld(t *testing.T) *world {
	w := newWorld(t)
	w.Base.Objects = objecttest.Start(t)
	w.Add("twins", twins.New)
	w.make("pump")
	return w
}

// archives are the archives there are, oldest deletion last.
func (w *world) archives(c *api.Client) []api.Archive {
	w.t.Helper()
	page, err := c.ListArchives(ctx, "")
	must(w.t, err)
	return page.Items
}

func TestADeletedTwinIsArchived(t *testing.T) {
	w := newArchiveWorld(t)
	w.said("p-1", 300, 0)
	w.said("p-10", 3, 0)
	ada, eve := w.User("ada", []access.Role{access.Owner}, "plant"), w.User("eve", []access.Role{access.Owner}, "shop")
	must(t, ada.DeleteTwin(ctx, "p-1"))
	if _, err := ada.GetTwin(ctx, "p-1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("after deletion: %v", err)
	}
	if n, _ := w.left("p-1"); n != 301 {
		t.Errorf("before it is archived %d records are left", n)
	}
	w.gone(10 * time.Second)
	if n, p := w.left("p-1"); n != 0 || p != 0 {
		t.Errorf("%d records and %d parked are left", n, p)
	}
	if n, p := w.left("p-10"); n != 4 || p != 1 {
		t.Errorf("%d records and %d parked of the other are left", n, p)
	}
	all := w.archives(ada)
	if len(all) != 1 {
		t.Fatalf("archives: %+v", all)
	}
	a := all[0]
	if a.State != api.ArchiveReady || a.Twin != "p-1" || a.Type != "pump" || a.By != "user:ada" || a.Records != 300 || a.Parked != 1 || a.Archived.IsZero() {
		t.Errorf("archive: %+v", a)
	}
	lines := download(t, ada, a)
	if len(lines) != 303 || !strings.Contains(string(lines[0]["twin"]), `"Pump 7"`) || lines[300]["record"] == nil || lines[301]["parked"] == nil ||
		string(lines[302]["end"]) != `{"records":300,"parked":1}` {
		t.Errorf("%d lines, the first is %s", len(lines), lines[0])
	}
	for what, err := range map[string]error{
		"reads it":       second(eve.GetArchive(ctx, a.ID)),
		"downloads it":   second(eve.ArchiveURL(ctx, a.ID)),
		"erases it":      eve.EraseArchive(ctx, a.ID),
		"reads no such":  second(eve.GetArchive(ctx, "nothing")),
		"erases no such": eve.EraseArchive(ctx, "nothing"),
	} {
		if !errors.Is(err, api.ErrNotFound) {
			t.Errorf("a stranger %s: %v", what, err)
		}
	}
	if got := w.archives(eve); len(got) != 0 {
		t.Errorf("a stranger lists %+v", got)
	}
	must(t, ada.EraseArchive(ctx, a.ID))
	if got := w.archives(w.Admin()); len(got) != 0 {
		t.Errorf("after erasing there is %+v", got)
	}
	if err := w.Base.Objects.List(ctx, "archive/", func(o artifact.Object) bool { t.Errorf("left: %s", o.Key); return true }); err != nil {
		t.Error(err)
	}
}

func TestWhatBecomesOfTheData(t *testing.T) {
	w := newArchiveWorld(t)
	_, err := w.admin.UpdateTwin(ctx, "pump", 0, map[string]any{"model": map[string]any{"onDelete": "erase"}})
	must(t, err)
	w.said("p-1", 3, 0)
	w.said("p-2", 3, 0)
	w.make("p-3 pump plant")
	must(t, w.admin.DeleteTwin(ctx, "p-1"))
	must(t, w.admin.DeleteTwinAs(ctx, "p-2", twin.Archive))
	must(t, w.admin.DeleteTwin(ctx, "p-3"))
	if err := w.admin.DeleteTwinAs(ctx, "pump", "burn"); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("data of no word: %v", err)
	}
	w.gone(10 * time.Second)
	if all := w.archives(w.admin); len(all) != 1 || all[0].Twin != "p-2" {
		t.Errorf("archives: %+v", all)
	}
}

// Whatever write an instance dies at, in the end there is one archive, whole, and nothing went before it was.
func TestAnArchiveIsWholeAfterACrashAnywhere(t *testing.T) {
	t.Parallel()
	w := newArchiveWorld(t)
	for n := range 9 {
		for _, how := range functiontest.Ways {
			w.said("p-1", 20, 0)
			admin := w.Admin()
			must(t, admin.DeleteTwin(ctx, "p-1"))
			w.SetTime(w.Now().Add(10 * time.Second))
			w.Crash(n, how).Run(w.World, "twins", twins.New)
			_ = w.Tick("twins", w.Now())
			w.Add("twins", twins.New)
			w.gone(2 * time.Minute)
			admin = w.Admin()
			all := w.archives(admin)
			if len(all) != 1 || all[0].State != api.ArchiveReady || len(download(t, admin, all[0])) != 23 {
				t.Fatalf("crash at write %d (%v): %+v", n, how, all)
			}
			must(t, admin.EraseArchive(ctx, all[0].ID))
		}
	}
}

// A long history is archived in parts, by several runs, of which some die.
func TestALongHistoryIsArchivedInParts(t *testing.T) {
	t.Parallel()
	const long = 6_000
	w := newArchiveWorld(t)
	w.said("p-1", long, 4000) // about 18 MB when compressed
	must(t, w.admin.DeleteTwin(ctx, "p-1"))
	for n := 3; n < 6; n++ {
		w.SetTime(w.Now().Add(2 * time.Minute))
		w.Crash(n, functiontest.Unsaid).Run(w.World, "twins", twins.New)
		_ = w.Tick("twins", w.Now())
	}
	w.Add("twins", twins.New)
	w.gone(2 * time.Minute)
	all := w.archives(w.Admin())
	if len(all) != 1 || all[0].Records != long || all[0].Size < 17<<20 {
		t.Fatalf("archives: %+v", all)
	}
	lines := download(t, w.Admin(), all[0])
	if len(lines) != long+3 {
		t.Errorf("%d lines", len(lines))
	}
	seen := map[string]bool{}
	for _, l := range lines {
		seen[string(l["record"])] = true
	}
	if len(seen) != long+1 {
		t.Errorf("%d different records", len(seen)-1)
	}
}

// Without an object store the data are kept until somebody erases them, and everybody is told so.
func TestWithoutAnObjectStoreDataAreKept(t *testing.T) {
	w := newWorld(t)
	w.make("pump")
	w.said("p-1", 3, 0)
	must(t, w.admin.DeleteTwin(ctx, "p-1"))
	w.SetTime(w.Now().Add(10 * time.Second))
	must(t, w.Tick("twins", w.Now()))
	all := w.archives(w.admin)
	if len(all) != 1 || all[0].State != api.ArchiveWaiting || !strings.Contains(all[0].Reason, "no object store") {
		t.Fatalf("archives: %+v", all)
	}
	if n, p := w.left("p-1"); n != 4 || p != 1 {
		t.Errorf("%d records and %d parked are left", n, p)
	}
	in := api.NewTwin{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "plant"}}
	if _, err := w.provision.CreateTwin(ctx, in); !errors.Is(err, api.ErrConflict) || !strings.Contains(fmt.Sprint(err), "erase them first") {
		t.Errorf("its id is used again: %v", err)
	}
	if _, err := w.admin.ArchiveURL(ctx, all[0].ID); !errors.Is(err, api.ErrConflict) {
		t.Errorf("its download: %v", err)
	}
	must(t, w.admin.EraseArchive(ctx, all[0].ID))
	w.gone(10 * time.Second)
	if n, p := w.left("p-1"); n != 0 || p != 0 {
		t.Errorf("after erasing %d records and %d parked are left", n, p)
	}
	if all := w.archives(w.Admin()); len(all) != 0 {
		t.Errorf("after erasing: %+v", all)
	}
}

// While the object store is away deletion waits, and goes on when it is back.
func TestAnArchiveWaitsForTheObjectStore(t *testing.T) {
	w := newArchiveWorld(t)
	w.said("p-1", 3, 0)
	there := w.Base.Objects
	w.Base.Objects = nil
	w.Add("twins", twins.New)
	must(t, w.admin.DeleteTwin(ctx, "p-1"))
	w.SetTime(w.Now().Add(10 * time.Second))
	must(t, w.Tick("twins", w.Now()))
	if n, _ := w.left("p-1"); n != 4 {
		t.Errorf("%d records are left", n)
	}
	w.Base.Objects = there
	w.Add("twins", twins.New)
	w.gone(time.Minute)
	if all := w.archives(w.Admin()); len(all) != 1 || all[0].State != api.ArchiveReady || all[0].Reason != "" {
		t.Errorf("archives: %+v", all)
	}
}
