package gateways_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
)

// folder is a gateway that joined by a folder made at some time.
func (w *world) folder(id, phase string, made time.Time) *api.Client {
	w.t.Helper()
	parts, err := w.Base.Secrets(platform.SecretParts)
	if err != nil {
		w.t.Fatal(err)
	}
	tok, err := w.Nobody().Exchange(w.t.Context(), api.Exchange{Part: "connector", Gateway: id, Audience: "gateways",
		Secret: platform.DeriveJoin(parts, id, platform.Bond{Phase: phase, Made: made})})
	if err != nil {
		w.t.Fatal(err)
	}
	return &api.Client{URL: w.URL, Header: http.Header{"Authorization": {"Bearer " + tok.Access}}}
}

// A folder made for an operational gateway opens no provisioning one, at which claims and strangers' requests would be its own; nor does
// it bring a gateway back that was deleted.
func TestAFolderIsForOneGatewayOfOnePhase(t *testing.T) {
	w := start(t)
	made := w.Now()
	f := w.folder("op-9", "operational", made)
	g := api.Gateway{ID: "op-9", Phase: "provisioning", URL: "tls://127.0.0.1:8883"}
	if _, err := f.PutGateway(t.Context(), g); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an operational gateway's folder opens a provisioning one: %v", err)
	}
	g.Phase = "operational"
	if _, err := f.PutGateway(t.Context(), g); err != nil {
		t.Fatal(err)
	}

	w.SetTime(made.Add(time.Minute))
	if err := w.Admin().DeleteGateway(t.Context(), "op-9"); err != nil {
		t.Fatal(err)
	}
	f = w.folder("op-9", "operational", made)
	if _, err := f.PutGateway(t.Context(), g); !errors.Is(err, access.ErrDenied) || !strings.Contains(err.Error(), "--renew") {
		t.Errorf("the folder brings back a gateway that was deleted: %v", err)
	}
	if _, there := w.list()["op-9"]; there {
		t.Error("the gateway that was deleted is there")
	}
	w.SetTime(made.Add(2 * time.Minute))
	if _, err := w.folder("op-9", "operational", w.Now()).PutGateway(t.Context(), g); err != nil {
		t.Errorf("a folder that was written anew: %v", err)
	}
	if _, err := w.Part("connector", "op-8").PutGateway(t.Context(), api.Gateway{ID: "op-8", Phase: "provisioning", URL: g.URL}); err != nil {
		t.Errorf("a connector that is bound to nothing: %v", err)
	}
}
