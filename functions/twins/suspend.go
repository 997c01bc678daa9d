package twins

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
)

// suspend keeps a device out. Function gateways hears of it by the event and cuts the device off; what it has stays.
func (f *function) suspend(ctx context.Context, c *faas.Call, in api.Because) (faas.Reply, error) {
	return f.moveBecause(ctx, c, twin.Suspended, in)
}

// resume lets a suspended device in again.
func (f *function) resume(ctx context.Context, c *faas.Call, in api.Because) (faas.Reply, error) {
	return f.moveBecause(ctx, c, twin.Operational, in)
}

// moveBecause moves one instance at people's wish, and keeps in the audit why.
func (f *function) moveBecause(ctx context.Context, c *faas.Call, to twin.Phase, in api.Because) (faas.Reply, error) {
	if err := checkReason(&in.Reason); err != nil {
		return faas.Reply{}, err
	}
	id := twin.ID(c.Var("id"))
	if err := f.move(ctx, hand{caller: c.Caller}, id, to); err != nil {
		return faas.Reply{}, err
	}
	if err := f.p.Audit(ctx, access.Record{ID: platform.NewID("why"), At: f.p.Time(), Caller: c.Caller.String(), Function: "twins", Method: "MOVE",
		Status: http.StatusOK, Path: "/twins/" + string(id) + " becomes " + string(to) + ": " + in.Reason}); err != nil {
		f.p.Log.WarnContext(ctx, "reason not kept in the audit", "twin", id, "error", err)
	}
	t, err := f.twins.Get(ctx, string(id))
	return faas.Versioned(t.Definition.Version, t), err
}

// maxWhy is how many bytes a reason has at most, here and in the other functions.
const maxWhy = 500

// checkReason refuses what says nothing.
func checkReason(reason *string) error {
	*reason = strings.TrimSpace(*reason)
	if *reason == "" || len(*reason) > maxWhy || !utf8.ValidString(*reason) {
		return api.Invalid("reason must say why, in at most %d bytes of text", maxWhy)
	}
	return nil
}

// cut is the beginning of a text, in at most so many bytes of whole characters.
func cut(s string, most int) string {
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}
