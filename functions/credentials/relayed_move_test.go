package credentials_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// relayed is a device of group press that via speaks for.
func (w *world) relayed(id twin.ID, via device.Ref, name string) api.Credential {
	w.t.Helper()
	w.owned(id, "press")
	c, err := w.Part("twin-provision", "").IssueCredential(context.Background(), api.NewCredential{Twin: id, Run: "a.1", Kind: device.Relayed, Via: via, Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// login is a device of group press that logs in by a user name, with topics of its own; called "" = it is a bridge.
func (w *world) login(id twin.ID, called string) api.Credential {
	w.t.Helper()
	w.owned(id, "press")
	topics := &api.Topics{Up: []string{"z/{device}"}, Device: called}
	if called == "" {
		topics.Up = []string{"z/bridge/#", "z/{device}"}
	}
	c, err := w.Part("twin-provision", "").IssueCredential(context.Background(), api.NewCredential{Twin: id, Run: "a.1", Kind: device.Password, Username: "u-" + string(id),
		PublicKey: newReader(w.t).public, Topics: topics})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// A device goes on behind another bridge, or by another name, as the twin that it is; what the one before says of it is nobody's.
func TestADeviceMovesToAnotherBridge(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	one, two, z := w.bridge("one"), w.bridge("two"), w.login("z", "")
	was := w.relayed("lamp", one.Ref, "kitchen/lamp")
	w.SetTime(w.Now().Add(time.Minute))
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	for _, step := range []struct {
		in   api.MoveRelayed
		via  device.Ref
		name string
	}{
		{api.MoveRelayed{Via: "two"}, two.Ref, "kitchen/lamp"},
		{api.MoveRelayed{Via: "two"}, two.Ref, "kitchen/lamp"},
		{api.MoveRelayed{Name: "hall"}, two.Ref, "hall"},
		{api.MoveRelayed{Via: "z", Name: "lamp"}, z.Ref, "lamp"},
	} {
		f, err := ada.MoveRelayed(ctx, "lamp", step.in)
		if err != nil || f.Ref != device.RelayedRef(step.via, step.name) || f.Via != step.via || f.Name != step.name || f.State != api.CredentialPending {
			t.Fatalf("%+v: %+v, %v", step.in, f, err)
		}
	}
	f, err := ada.ListCredentials(ctx, "lamp")
	if err != nil || f.Items[0].Generation != was.Generation+3 || !f.Items[0].Issued.Equal(w.Now().Truncate(time.Millisecond)) {
		t.Errorf("%+v, %v", f.Items, err)
	}
	for i, reason := range []string{ // the newest first
		`moved to z, which calls it "lamp"; before two spoke for it, as "hall"`,
		`renamed at two: from "kitchen/lamp" to "hall"`,
		`moved to two, which calls it "kitchen/lamp"; before one spoke for it, as "kitchen/lamp"`,
	} {
		if past := f.Items[1:]; len(past) != 3 || past[i].Reason != reason || past[i].By != "user:ada" || past[i].State != api.CredentialEnded || !past[i].Ended.Equal(w.Now().Truncate(time.Millisecond)) {
			t.Errorf("%d: what is told of its moves: %+v", i, past)
		}
	}
	if w.at("op", was.Ref) != 0 || w.at("op", device.RelayedRef(two.Ref, "hall")) != 0 {
		t.Error("by who spoke for it before it is known still")
	}
	for via, n := range map[twin.ID]int{"one": 0, "two": 0, "z": 1} {
		if page, err := ada.ListRelayed(ctx, via, ""); err != nil || len(page.Items) != n {
			t.Errorf("%s speaks for %+v, %v", via, page.Items, err)
		}
	}
}

func TestWhereADeviceCannotMove(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	one, two := w.bridge("one"), w.bridge("two")
	was := w.relayed("lamp", one.Ref, "lamp")
	w.relayed("other", two.Ref, "taken")
	w.login("plug", "plug_1")
	w.login("z", "")
	w.owned("idle", "press")
	for id, protocol := range map[twin.ID]string{"plain": "", "calls": "grpc"} {
		w.owned(id, "press")
		if _, err := w.Part("twin-provision", "").IssueCredential(ctx, api.NewCredential{Twin: id, Run: "a.1", Kind: device.Token, Protocol: protocol, PublicKey: newReader(t).public}); err != nil {
			t.Fatal(err)
		}
	}
	w.owned("gone", "press")
	if _, err := w.Part("twin-provision", "").IssueCredential(ctx, api.NewCredential{Twin: "gone", Run: "a.1", Kind: device.Token, PublicKey: newReader(t).public}); err != nil {
		t.Fatal(err)
	}
	w.edit("gone", func(d *twin.Definition) { d.Phase = twin.Retired })
	w.bridge("foreign")
	w.edit("foreign", func(d *twin.Definition) { d.Owner = "others" })
	ada, eve := w.User("ada", []access.Role{access.Owner}, "press"), w.User("eve", []access.Role{access.Owner}, "others")
	for what, tt := range map[string]struct {
		by    *api.Client
		id    twin.ID
		in    api.MoveRelayed
		err   error
		words string
	}{
		"a stranger's":             {eve, "lamp", api.MoveRelayed{Via: "foreign"}, api.ErrNotFound, "lamp"},
		"to a stranger's":          {ada, "lamp", api.MoveRelayed{Via: "foreign"}, twin.ErrInvalid, "there is no twin"},
		"to another group's":       {w.admin, "lamp", api.MoveRelayed{Via: "foreign"}, twin.ErrInvalid, "of group \"press\""},
		"to nobody":                {ada, "lamp", api.MoveRelayed{Via: "nobody"}, twin.ErrInvalid, "there is no twin"},
		"to one without a login":   {ada, "lamp", api.MoveRelayed{Via: "idle"}, api.ErrConflict, "bring it in first"},
		"to one that is relayed":   {ada, "lamp", api.MoveRelayed{Via: "other"}, twin.ErrInvalid, "relayed itself, by two"},
		"to one for itself alone":  {ada, "lamp", api.MoveRelayed{Via: "plain"}, twin.ErrInvalid, "via: plain speaks mqtt as the platform does, and so for itself alone; name a bridge"},
		"to one by gRPC":           {ada, "lamp", api.MoveRelayed{Via: "calls"}, twin.ErrInvalid, "via: calls speaks grpc"},
		"to a login of one device": {ada, "lamp", api.MoveRelayed{Via: "plug"}, twin.ErrInvalid, "for itself alone"},
		"to one that goes":         {ada, "lamp", api.MoveRelayed{Via: "gone"}, twin.ErrInvalid, "decommissioned"},
		"a name with levels":       {ada, "lamp", api.MoveRelayed{Via: "z", Name: "a/b"}, twin.ErrInvalid, `name: z cannot speak for a device called "a/b", because it fits into none of the topics, which are like z/{device}; call`},
		"a name of control":        {ada, "lamp", api.MoveRelayed{Name: "a\nb"}, twin.ErrInvalid, "name must be"},
		"a name turned around":     {ada, "lamp", api.MoveRelayed{Name: "a\u202eb"}, twin.ErrInvalid, "can be seen"},
		"a name of nothing":        {ada, "lamp", api.MoveRelayed{Name: "a\u200b"}, twin.ErrInvalid, "can be seen"},
		"a name that is taken":     {ada, "lamp", api.MoveRelayed{Via: "two", Name: "taken"}, api.ErrExists, "another device's, twin other, at twin two"},
		"one that speaks itself":   {ada, "one", api.MoveRelayed{Via: "two"}, api.ErrConflict, "no device speaks for"},
		"one without a credential": {ada, "idle", api.MoveRelayed{Via: "two"}, api.ErrConflict, "castor device add"},
	} {
		if _, err := tt.by.MoveRelayed(ctx, tt.id, tt.in); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if w.at("op", was.Ref) != 1 {
		t.Error("what was refused has moved it")
	}
}

// Nobody is brought in behind a device that cannot speak for others, or cannot say the name.
func TestWhoCannotSpeakForADevice(t *testing.T) {
	w := start(t)
	ctx, p := context.Background(), w.Part("twin-provision", "")
	plug, z, gone := w.login("plug", "plug_1"), w.login("z", ""), w.bridge("gone")
	w.edit("gone", func(d *twin.Definition) { d.Phase = twin.Retired })
	w.owned("lamp", "press")
	for what, tt := range map[string]struct {
		via   device.Ref
		name  string
		words string
	}{
		"a login of one device": {plug.Ref, "lamp", "for itself alone, as plug_1"},
		"a name with levels":    {z.Ref, "kitchen/lamp", "fits into none"},
		"a wildcard":            {z.Ref, "lamp+", `"lamp+", because a name in topics is without + # { }; call`},
		"the bridge's topics":   {z.Ref, "bridge", "because topics with it are taken for those of z/bridge/#; call"},
		"one that goes":         {gone.Ref, "lamp", "decommissioned"},
	} {
		_, err := p.IssueCredential(ctx, api.NewCredential{Twin: "lamp", Run: "a.1", Kind: device.Relayed, Via: tt.via, Name: tt.name})
		if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.relayed("lamp-2", z.Ref, "lamp")
}

// A bridge that comes anew as another group's takes nobody's devices along.
func TestABridgeOfAnotherGroupTakesNoDevicesAlong(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	via := w.bridge("bridge")
	was := w.relayed("lamp", via.Ref, "lamp")
	if err := w.admin.RevokeCredential(ctx, via.Ref, "sold"); err != nil {
		t.Fatal(err)
	}
	w.edit("bridge", func(d *twin.Definition) { d.Owner = "others" })
	next, err := w.Part("twin-provision", "").IssueCredential(ctx, api.NewCredential{Twin: "bridge", Run: "bridge.2", Kind: device.Token, Protocol: "http", PublicKey: newReader(t).public})
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.admin.ListCredentials(ctx, "lamp")
	if err != nil || f.Items[0].Ref != was.Ref || w.at("op", device.RelayedRef(next.Ref, "lamp")) != 0 {
		t.Errorf("%+v, %v", f.Items, err)
	}
}

func TestWhoseAUserNameIs(t *testing.T) {
	w := start(t)
	ctx, p := context.Background(), w.Part("twin-provision", "")
	c := w.login("plug", "plug_1")
	if f, err := p.Username(ctx, "u-plug"); err != nil || f.Twin != "plug" {
		t.Errorf("%+v, %v", f, err)
	}
	if err := w.admin.RevokeCredential(ctx, c.Ref, "lost"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Username(ctx, "u-plug"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("it is free again: %v", err)
	}
	if _, err := p.Username(ctx, "a b"); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("none at all: %v", err)
	}
}

// meanwhile is a store in which something happens just before credentials are written.
type meanwhile struct {
	store.Driver
	do func()
}

type meanwhileTable struct {
	store.Table
	do func()
}

func (m meanwhile) Table(ctx context.Context, name string, indexes []store.Index) (store.Table, error) {
	t, err := m.Driver.Table(ctx, name, indexes)
	if err != nil || name != "credentials" {
		return t, err
	}
	return meanwhileTable{t, m.do}, nil
}

func (t meanwhileTable) Write(ctx context.Context, writes []store.Write) ([]error, error) {
	t.do()
	return t.Table.Write(ctx, writes)
}

// A bridge is retired and looked at for devices while one comes that has seen it alive: the device is refused, and known by nothing.
func TestADeviceThatComesWhileItsBridgeGoes(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	via := w.bridge("bridge")
	w.owned("lamp", "press")
	var once sync.Once
	var seen api.Page[api.CredentialFact]
	plain := w.Base.DB
	w.Base.DB = store.New(meanwhile{plain.Driver(), func() {
		once.Do(func() {
			w.edit("bridge", func(d *twin.Definition) { d.Phase = twin.Retired })
			seen, _ = w.admin.ListRelayed(ctx, "bridge", "")
		})
	}})
	w.Add("credentials", credentials.New)
	_, err := w.Part("twin-provision", "").IssueCredential(ctx, api.NewCredential{Twin: "lamp", Run: "a.1", Kind: device.Relayed, Via: via.Ref, Name: "lamp"})
	if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "decommissioned") {
		t.Errorf("%v; who looked for the bridge's devices saw %+v", err, seen.Items)
	}
	if w.at("op", device.RelayedRef(via.Ref, "lamp")) != 0 {
		t.Error("it was refused, and is known")
	}
	if f, err := w.admin.ListCredentials(ctx, "lamp"); err != nil || len(f.Items) != 1 || f.Items[0].State != api.CredentialEnded {
		t.Errorf("%+v, %v", f.Items, err)
	}
}

// A bridge is retired while a device moves to it: the move is refused, and the device stays where it was, whatever becomes of that.
func TestADeviceThatMovesToABridgeThatGoes(t *testing.T) {
	for what, goes := range map[string][]twin.ID{"the new one goes": {"two"}, "both go": {"two", "one"}} {
		t.Run(what, func(t *testing.T) {
			w := start(t)
			ctx := context.Background()
			was := w.relayed("lamp", w.bridge("one").Ref, "lamp")
			w.bridge("two")
			var once sync.Once
			w.Base.DB = store.New(meanwhile{w.Base.DB.Driver(), func() {
				once.Do(func() {
					for _, id := range goes {
						w.edit(id, func(d *twin.Definition) { d.Phase = twin.Retired })
					}
				})
			}})
			w.Add("credentials", credentials.New)
			_, err := w.admin.MoveRelayed(ctx, "lamp", api.MoveRelayed{Via: "two", Name: "hall"})
			if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "two is being decommissioned") {
				t.Error(err)
			}
			w.isAt("lamp", was.Ref, device.RelayedRef(w.ref("two"), "hall"))
		})
	}
}

// isAt fails unless the device has one reference now, and nobody has the other.
func (w *world) isAt(id twin.ID, is, not device.Ref) {
	w.t.Helper()
	f, err := w.admin.ListCredentials(context.Background(), id)
	if err != nil || len(f.Items) == 0 || f.Items[0].State == api.CredentialEnded || f.Items[0].Ref != is {
		w.t.Errorf("%+v, %v; it should be %s", f.Items, err, is)
	}
	if w.at("op", is) != 1 || w.at("op", not) != 0 {
		w.t.Errorf("%d are %s, %d are %s", w.at("op", is), is, w.at("op", not), not)
	}
}

// ref is the reference of a twin's device.
func (w *world) ref(id twin.ID) device.Ref {
	w.t.Helper()
	f, err := w.admin.ListCredentials(context.Background(), id)
	if err != nil || len(f.Items) == 0 {
		w.t.Fatal(f.Items, err)
	}
	return f.Items[0].Ref
}

// The platform dies at every write of a move. The sweep ends it: the device is behind the new bridge, or behind the old one if the new one
// is decommissioned meanwhile, and another may move to where it was going.
func TestACrashAtEveryWriteOfAMove(t *testing.T) {
	t.Parallel()
	for _, goes := range []bool{false, true} {
		for _, how := range functiontest.Ways {
			w := start(t)
			ctx := context.Background()
			begun := 0
			for n := 0; ; n++ {
				w.admin = w.Admin() // a token lives for minutes
				w.gateway("op", "operational")
				id := func(s string) twin.ID { return twin.ID(fmt.Sprintf("%s-%d", s, n)) }
				one, two := w.bridge(id("one")), w.bridge(id("two"))
				was, is := w.relayed(id("lamp"), one.Ref, "lamp").Ref, device.RelayedRef(two.Ref, "hall")
				crash := w.Crash(n, how)
				crash.Run(w.World, "credentials", credentials.New)
				_, failed := w.admin.MoveRelayed(ctx, id("lamp"), api.MoveRelayed{Via: id("two"), Name: "hall"})
				through := !crash.Came()
				w.Add("credentials", credentials.New)
				if goes {
					w.edit(id("two"), func(d *twin.Definition) { d.Phase = twin.Retired })
				}
				if w.moving(id("lamp")) {
					begun++
				}
				w.SetTime(w.Now().Add(time.Minute))
				w.sweep()
				w.sweep() // the second has nothing to do
				if w.moving(id("lamp")) {
					t.Fatalf("way %d, write %d: it is still moving", how, n)
				}
				f, err := w.admin.ListCredentials(ctx, id("lamp"))
				if err != nil || len(f.Items) == 0 || f.Items[0].State == api.CredentialEnded {
					t.Fatalf("way %d, write %d: %+v, %v", how, n, f.Items, err)
				}
				said := w.said(id("lamp"))
				switch at := f.Items[0].Ref; {
				case at == is:
					if want := fmt.Sprintf(`moved to %s, which calls it "hall"; before %s spoke for it, as "lamp"; by user:admin`, id("two"), id("one")); said != want+" | "+want {
						t.Errorf("way %d, write %d: log and recent occurrences have %s, want each once: %s", how, n, said, want)
					}
					if past := f.Items[1:]; len(past) != 1 || past[0].Ref != was || !strings.HasPrefix(past[0].By, "user:") {
						t.Errorf("way %d, write %d: it is told of its move: %+v", how, n, past)
					}
					w.isAt(id("lamp"), is, was)
				case failed == nil:
					t.Errorf("way %d, write %d: it was said to have moved", how, n)
				default:
					w.isAt(id("lamp"), was, is)
				}
				if f.Items[0].Ref != is && said != " | " {
					t.Errorf("way %d, write %d: it has not moved, and it is said: %s", how, n, said)
				}
				if through {
					t.Logf("way %d: %d writes", how, n)
					break
				}
			}
			if begun == 0 {
				t.Errorf("way %d: no crash left a move to the sweep", how)
			}
		}
	}
}

// moving tells whether a move of a device is begun and not decided.
func (w *world) moving(id twin.ID) bool {
	w.t.Helper()
	c, err := platform.OpenSpoken[spoken](context.Background(), w.Base.DB)
	if err != nil {
		w.t.Fatal(err)
	}
	v, err := c.Get(context.Background(), string(id))
	if err != nil {
		w.t.Fatal(err)
	}
	return v.To != ""
}

func (w *world) sweep() {
	w.t.Helper()
	if _, err := w.Part("twin-watchdog", "").Sweep(context.Background(), "credentials"); err != nil {
		w.t.Error(err)
	}
}

// Whoever asks again after a crash need not wait for the sweep, and what was begun is decided first.
func TestAMoveThatACrashHasLeftIsGoneOnWith(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	one, two, three := w.bridge("one"), w.bridge("two"), w.bridge("three")
	w.relayed("lamp", one.Ref, "lamp")
	for _, to := range []api.Credential{two, three} {
		crash := w.Crash(1, functiontest.Published)
		crash.Run(w.World, "credentials", credentials.New)
		if _, err := w.admin.MoveRelayed(ctx, "lamp", api.MoveRelayed{Via: "two"}); err == nil || !w.moving("lamp") {
			t.Fatalf("%v; it has not begun to move", err)
		}
		w.Add("credentials", credentials.New)
		if f, err := w.admin.MoveRelayed(ctx, "lamp", api.MoveRelayed{Via: to.Twin}); err != nil || f.ViaTwin != to.Twin {
			t.Errorf("%+v, %v", f, err)
		}
		w.isAt("lamp", device.RelayedRef(to.Ref, "lamp"), device.RelayedRef(one.Ref, "lamp"))
		if _, err := w.admin.MoveRelayed(ctx, "lamp", api.MoveRelayed{Via: "one"}); err != nil {
			t.Fatal(err)
		}
	}
}

// A bridge is retired while one of its devices is called otherwise: its own end sees to the device, which keeps its name until then.
func TestADeviceThatIsRenamedWhileItsBridgeGoes(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	was := w.relayed("lamp", w.bridge("one").Ref, "lamp")
	var once sync.Once
	w.Base.DB = store.New(meanwhile{w.Base.DB.Driver(), func() {
		once.Do(func() { w.edit("one", func(d *twin.Definition) { d.Phase = twin.Retired }) })
	}})
	w.Add("credentials", credentials.New)
	if _, err := w.admin.MoveRelayed(ctx, "lamp", api.MoveRelayed{Name: "hall"}); !errors.Is(err, twin.ErrInvalid) {
		t.Error(err)
	}
	if f, err := w.admin.ListCredentials(ctx, "lamp"); err != nil || len(f.Items) != 1 || f.Items[0].State == api.CredentialEnded || f.Items[0].Ref != was.Ref {
		t.Errorf("%+v, %v", f.Items, err)
	}
}
