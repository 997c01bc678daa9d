package twins_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	twinprovision "github.com/castor-iot/castor/functions/twin-provision"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// A type names provisioning models that exist and are for it. Who knows them may be away: then nothing is changed, and all else goes on.
func TestTypesNameModelsThatExist(t *testing.T) {
	w := newWorld(t)
	w.Add("twin-provision", twinprovision.New)
	admin := w.Admin()
	model := provision.Model{ID: "mine", Start: "may", States: []provision.State{{Name: "may", Do: provision.CheckClaim, Then: "who"},
		{Name: "who", Do: provision.CheckIdentity, Then: "make"}, {Name: "make", Do: provision.CreateTwin, Then: "sign"},
		{Name: "sign", Do: provision.IssueCredential, Then: "place"}, {Name: "place", Do: provision.RegisterGateway, Then: "hand"},
		{Name: "hand", Do: provision.Deliver, Then: "live"}, {Name: "live", Do: provision.Activate, End: provision.Completed}}}
	put := func(id string, of twin.TypeID) {
		t.Helper()
		model.ID, model.Type = id, of
		_, err := admin.PutModel(ctx, model)
		must(t, err)
	}
	create := func(id twin.TypeID, m twin.Model) error {
		_, err := admin.CreateTwin(ctx, api.NewTwin{ID: id, Kind: twin.Type, Definition: twin.Definition{Model: &m}})
		return err
	}
	edit := func(m map[string]any) error {
		_, err := admin.UpdateTwin(ctx, "boat", 0, map[string]any{"model": m})
		return err
	}
	must(t, create("ship", twin.Model{}))
	put("mine", "")
	put("ships", "ship")
	refused := func(what string, err error, words ...string) {
		t.Helper()
		for _, word := range words {
			if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v, want %q", what, err, word)
			}
		}
	}
	refused("made with one that does not exist", create("boat", twin.Model{Provisioning: "none"}), "model.provisioning", `"none"`, "castor model put")
	if _, err := admin.GetTwin(ctx, "boat"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("it was made all the same: %v", err)
	}
	refused("made with another type's", create("boat", twin.Model{Provisioning: "ships"}), "for type ship only")
	must(t, create("boat", twin.Model{Provisioning: "mine", Choices: []twin.Choice{{If: "true", Model: "manual"}}}))
	refused("edited", edit(map[string]any{"choices": []twin.Choice{{If: "true", Model: "manual"}, {If: "true", Model: "none"}}}), "model.choices[1].model", `"none"`)
	must(t, edit(map[string]any{"provisioning": "semi-automatic"}))

	w.Add("twin-provision", func(*platform.Platform) faas.Func {
		return func(handler.Request) (handler.Response, error) {
			return handler.Response{StatusCode: http.StatusServiceUnavailable}, nil
		}
	})
	err := edit(map[string]any{"provisioning": "mine", "offlineAfter": "5m"})
	if !errors.Is(err, api.ErrUnavailable) || !strings.Contains(err.Error(), "model.provisioning") {
		t.Errorf("while nobody can tell: %v", err)
	}
	if b, err := admin.GetTwin(ctx, "boat"); err != nil || b.Definition.Model.Provisioning != "semi-automatic" || b.Definition.Model.OfflineAfter != 0 {
		t.Errorf("it was changed by half: %+v, %v", b.Definition.Model, err)
	}
	must(t, edit(map[string]any{"offlineAfter": "5m"}))
	must(t, edit(map[string]any{"provisioning": "automatic"}))
	must(t, create("raft", twin.Model{Provisioning: "manual"}))
}
