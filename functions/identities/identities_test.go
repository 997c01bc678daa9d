package identities_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/castor-iot/castor/functions/identities"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

func start(t *testing.T) (*functiontest.World, *api.Client) {
	w := functiontest.New(t, functiontest.Functions{"identities": identities.New})
	return w, w.User("carl", []access.Role{access.Configurator})
}

// twins are written as function twins does.
func makeTwin(t *testing.T, w *functiontest.World, v twin.Twin) {
	t.Helper()
	twins, err := platform.OpenTwins(context.Background(), w.Base.DB)
	if err == nil {
		err = twins.Insert(context.Background(), v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestIdentityLife(t *testing.T) {
	ctx := context.Background()
	w, carl := start(t)
	p7, err := carl.CreateIdentity(ctx, device.Identity{Serial: " P 7/a ", MAC: "02-42-AC-11-00-02", Model: "Pump 3000", Type: "pump", Made: "2026-03-21"})
	if err != nil || p7.ID != "p-7-a" || p7.Serial != "P 7/a" || p7.MAC != "02:42:ac:11:00:02" || p7.Created.IsZero() {
		t.Fatalf("%+v, %v", p7, err)
	}
	for name, in := range map[string]device.Identity{
		"the same again":          p7,
		"the same id":             {ID: "p-7-a", Serial: "P-8"},
		"the same serial":         {ID: "p-8", Serial: "P 7/a"},
		"the same MAC":            {ID: "p-8", Serial: "P-8", MAC: "0242.ac11.0002"},
		"a serial of the same id": {Serial: "P-7.A"},
	} {
		_, err := carl.CreateIdentity(ctx, in)
		if name == "a serial of the same id" {
			if err != nil {
				t.Errorf("%s: %v", name, err) // "p-7.a" is another id than "p-7-a"
			}
			continue
		}
		if !errors.Is(err, api.ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := carl.GetIdentity(ctx, "p-7-a"); err != nil || !reflect.DeepEqual(got, p7) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := carl.FindIdentity(ctx, "P 7/a"); err != nil || !reflect.DeepEqual(got, p7) {
		t.Errorf("by serial: %+v, %v", got, err)
	}
	if _, err := carl.FindIdentity(ctx, "P-9"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("an unknown serial: %v", err)
	}

	makeTwin(t, w, twin.Twin{ID: "p-7-a", Kind: twin.Instance})
	if err := carl.DeleteIdentity(ctx, "p-7-a"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("deleting it under its twin: %v", err)
	}
	twins, err := platform.OpenTwins(ctx, w.Base.DB)
	if err == nil {
		err = twins.Delete(ctx, "p-7-a")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := carl.DeleteIdentity(ctx, "p-7-a"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []twin.ID{"p-7-a", "never-was", "%2e%2e%2fx", "a%00b"} {
		if err := carl.DeleteIdentity(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("deleting %s: %v", id, err)
		}
		if _, err := carl.GetIdentity(ctx, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("getting %s: %v", id, err)
		}
	}
}

// An owner sees the identities of own twins, and cannot tell foreign ones from none.
func TestOwnersSeeTheirDevices(t *testing.T) {
	ctx := context.Background()
	w, carl := start(t)
	ada, eve := w.User("ada", []access.Role{access.Owner}, "press-shop"), w.User("eve", []access.Role{access.Owner})
	for _, s := range []string{"P-1", "P-2", "P-3"} {
		if _, err := carl.CreateIdentity(ctx, device.Identity{Serial: s}); err != nil {
			t.Fatal(err)
		}
	}
	makeTwin(t, w, twin.Twin{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Owner: "press-shop"}})
	makeTwin(t, w, twin.Twin{ID: "p-2", Kind: twin.Instance, Definition: twin.Definition{Owner: "paint-shop"}})

	if got, err := ada.GetIdentity(ctx, "p-1"); err != nil || got.Serial != "P-1" {
		t.Errorf("her own: %+v, %v", got, err)
	}
	if got, err := ada.FindIdentity(ctx, "P-1"); err != nil || got.ID != "p-1" {
		t.Errorf("her own by serial: %+v, %v", got, err)
	}
	_, missing := ada.GetIdentity(ctx, "p-9")
	for _, id := range []string{"p-2", "p-3"} {
		_, err := ada.GetIdentity(ctx, twin.ID(id))
		if !errors.Is(err, api.ErrNotFound) || strings.Replace(err.Error(), id, "p-9", 1) != missing.Error() {
			t.Errorf("%s, which is not hers: %v; one that is not there: %v", id, err, missing)
		}
		if _, err := ada.FindIdentity(ctx, strings.ToUpper(id)); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s by serial: %v", id, err)
		}
	}
	if _, err := eve.GetIdentity(ctx, "p-1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("another owner: %v", err)
	}
	if got, err := w.Part("twin-provision", "").FindIdentity(ctx, "P-3"); err != nil || got.ID != "p-3" {
		t.Errorf("a part: %+v, %v", got, err)
	}
	for who, c := range map[string]*api.Client{"an owner": ada, "a part": w.Part("twin-history", "")} {
		if _, err := c.ImportIdentities(ctx, "text/csv", []byte("serial\nX\n")); !errors.Is(err, access.ErrDenied) {
			t.Errorf("%s imports: %v", who, err)
		}
	}
	if _, err := w.Part("twin-history", "").CreateIdentity(ctx, device.Identity{Serial: "X"}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a part makes one: %v", err)
	}
	if err := w.Part("twin-history", "").DeleteIdentity(ctx, "p-1"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a part deletes: %v", err)
	}
}

func TestImport(t *testing.T) {
	ctx := context.Background()
	_, carl := start(t)
	const csv = "\xef\xbb\xbfSerial, MAC ,model,notes\r\n" +
		"P-1,02:42:ac:11:00:01,Pump,\"first, of the line\"\r\n" +
		"P-2,,Pump,\"two\nlines\"\r\n" + // lines 3 and 4: a control character
		"P-3,not a mac,Pump,\r\n" + // 5
		"P-4,,Pump\r\n" + // 6
		",,Pump,\r\n" + // 7
		"P-5,02:42:AC:11:00:01,Pump,\r\n" + // 8: the MAC of line 2
		"P-1,02:42:ac:11:00:01,Pump,\"first, of the line\"\r\n" + // 9: line 2 again
		"P-6,,Pump,a \"bare\" quote\r\n" + // 10
		"P-7,,\xff\xfe,\r\n" + // 11
		"P-8,,Pump,\r\n" // 12
	want := map[int]string{3: "notes", 5: "mac", 6: "3 columns", 7: "serial", 8: "line 2", 10: "CSV", 11: "model"}
	for round, counts := range []api.ImportResult{{Created: 2, Unchanged: 1}, {Created: 0, Unchanged: 3}} {
		got, err := carl.ImportIdentities(ctx, "text/csv; charset=utf-8", []byte(csv))
		if err != nil {
			t.Fatal(err)
		}
		if got.Created != counts.Created || got.Unchanged != counts.Unchanged || len(got.Faults) != len(want) {
			t.Errorf("round %d: %+v, want %+v", round+1, got, counts)
		}
		for _, f := range got.Faults {
			if want[f.Line] == "" || !strings.Contains(f.Reason, want[f.Line]) {
				t.Errorf("round %d, line %d: %s; want %q", round+1, f.Line, f.Reason, want[f.Line])
			}
		}
	}
	got, err := carl.ImportIdentities(ctx, "application/x-ndjson", []byte(`{"serial":"P-1","mac":"02:42:ac:11:00:01","model":"Pump","notes":"first, of the line"}

{"serial":"P-1","model":"Another"}
{"serial":"P-9","mac":"02:42:ac:11:00:01"}
{"id":"p-8","serial":"P-10"}
{"id":"p-11","serial":"P-8"}
{"serial":"P-12","location":"hall 3"}
["P-13"]
{"serial":"P-14"}`))
	if err != nil || got.Created != 1 || got.Unchanged != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	want = map[int]string{3: "the same serial as line 1", 4: "the same mac as line 1", 5: `taken by the device with serial "P-8"`, 6: `taken by "p-8"`, 7: "location", 8: "object, not array"}
	for _, f := range got.Faults {
		if want[f.Line] == "" || !strings.Contains(f.Reason, want[f.Line]) {
			t.Errorf("line %d: %s; want %q", f.Line, f.Reason, want[f.Line])
		}
		delete(want, f.Line)
	}
	if len(want) != 0 {
		t.Errorf("no fault for %v", want)
	}
	got, err = carl.ImportIdentities(ctx, "application/x-ndjson", []byte(`{"serial":"P-1","model":"Another"}`))
	if err != nil || len(got.Faults) != 1 || !strings.Contains(got.Faults[0].Reason, "other data") {
		t.Errorf("a known serial with other data: %+v, %v", got, err)
	}
}

// A large import is many writes, and may be repeated after any of them.
func TestImportMany(t *testing.T) {
	ctx := context.Background()
	_, carl := start(t)
	var body bytes.Buffer
	body.WriteString("serial,model\n")
	for i := range 2500 {
		fmt.Fprintf(&body, "SN-%05d,Pump\n", i)
	}
	half := body.Bytes()[:body.Len()/2]
	half = half[:bytes.LastIndexByte(half, '\n')+1]
	first, err := carl.ImportIdentities(ctx, "text/csv", half)
	if err != nil || first.Created == 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	all, err := carl.ImportIdentities(ctx, "text/csv", body.Bytes())
	if err != nil || all.Created+first.Created != 2500 || all.Unchanged != first.Created || len(all.Faults) != 0 {
		t.Fatalf("%+v after %+v, %v", all, first, err)
	}
	seen, cursor := 0, ""
	for {
		page, err := carl.ListIdentities(ctx, "sn-0", cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Items {
			if want := fmt.Sprintf("sn-%05d", seen); string(v.ID) != want {
				t.Fatalf("%s, want %s", v.ID, want)
			}
			seen++
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if seen != 2500 {
		t.Errorf("paged through %d", seen)
	}
	if page, err := carl.ListIdentities(ctx, "sn-0249", ""); err != nil || len(page.Items) != 10 {
		t.Errorf("a prefix: %d, %v", len(page.Items), err)
	}
}

func TestHostileInput(t *testing.T) {
	ctx := context.Background()
	w, carl := start(t)
	const j, csv, nd = "application/json", "text/csv", "application/x-ndjson"
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct{ method, path, kind, body, says string }{
		"no body":                     {"POST", "/identities", j, "", "empty"},
		"no serial":                   {"POST", "/identities", j, "{}", "serial"},
		"a serial of control letters": {"POST", "/identities", j, `{"serial":"P\u0000"}`, "serial"},
		"a serial that is too long":   {"POST", "/identities", j, `{"serial":"` + long + `"}`, "serial"},
		"a number as serial":          {"POST", "/identities", j, `{"serial":7}`, "serial"},
		"a path as id":                {"POST", "/identities", j, `{"serial":"P","id":"../users"}`, "id"},
		"a bad MAC":                   {"POST", "/identities", j, `{"serial":"P","mac":"02:42"}`, "mac"},
		"a bad type":                  {"POST", "/identities", j, `{"serial":"P","type":"a b"}`, "type"},
		"a bad date":                  {"POST", "/identities", j, `{"serial":"P","made":"21.3.2026"}`, "made"},
		"long notes":                  {"POST", "/identities", j, `{"serial":"P","notes":"` + long + `"}`, "notes"},
		"an escape in the model":      {"POST", "/identities", j, `{"serial":"P","model":"\u001b[2J"}`, "model"},
		"a place":                     {"POST", "/identities", j, `{"serial":"P","location":"hall 3"}`, "location"},
		"an import of no kind":        {"POST", "/import", j, "serial\nP\n", "Content-Type"},
		"an empty CSV":                {"POST", "/import", csv, "", "header"},
		"a CSV without header":        {"POST", "/import", csv, "P-1,02:42:ac:11:00:01\n", "header"},
		"a header without serial":     {"POST", "/import", csv, "id,model\n", "serial"},
		"a header with one twice":     {"POST", "/import", csv, "serial,SERIAL\n", "twice"},
		"a header of quotes":          {"POST", "/import", csv, "\"serial\n", "header"},
		"a bad cursor":                {"GET", "/identities?cursor=x", "", "", "cursor"},
		"a bad limit":                 {"GET", "/identities?limit=1e3", "", "", "limit"},
		"a long prefix":               {"GET", "/identities?prefix=" + long, "", "", "prefix"},
		"a prefix of no text":         {"GET", "/identities?prefix=%ff", "", "", "prefix"},
		"a NUL in the serial":         {"GET", "/identities?serial=%00", "", "", "serial"},
	} {
		t.Run(name, func(t *testing.T) {
			err := carl.Call(ctx, c.method, "identities", c.path, api.Raw{ContentType: c.kind, Body: []byte(c.body)}, nil)
			if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want an invalid request that says %q", err, c.says)
			}
		})
	}
	for name, c := range map[string]struct {
		kind string
		body []byte
	}{
		"too many lines of CSV":    {csv, append([]byte("serial\n"), bytes.Repeat([]byte("P\n"), 50_001)...)},
		"too many lines of NDJSON": {nd, bytes.Repeat([]byte("\n"), 60_000)},
		"too many bytes":           {nd, bytes.Repeat([]byte("x"), 16<<20+1)},
	} {
		if _, err := carl.ImportIdentities(ctx, c.kind, c.body); !errors.Is(err, api.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, err := carl.ImportIdentities(ctx, nd, []byte(`{"serial":"`+strings.Repeat("x", 1<<17)+"\"}\n"+strings.Repeat("[", 50_000)+"\n\xff\n\x00"))
	if err != nil || got.Created != 0 || len(got.Faults) != 4 {
		t.Errorf("lines of rubbish: %+v, %v", got, err)
	}
	c, err := store.Open[device.Identity](ctx, w.Base.DB, store.Spec{Name: "identities", Schema: 1})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Count(ctx, store.Filter{}, ""); err != nil || n != 0 {
		t.Errorf("%d were kept, %v", n, err)
	}
}
