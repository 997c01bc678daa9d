package platform

import (
	"context"
	"net/http"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/faas"
)

// SignedIn tells who calls by a token or by the console's cookie, as a function's first door does (faas.Authenticate), and the
// header that shows the same in calls made with the caller's own rights: for connectors that people call.
func (p *Platform) SignedIn(ctx context.Context, h http.Header) (c access.Caller, shown http.Header, err error) {
	c, token, err := faas.Authenticate(ctx, p, h)
	if err != nil || token == "" {
		return c, nil, err
	}
	shown = http.Header{"Authorization": {"Bearer " + token}}
	if c.Bound { // to a page of the console, which every call has to name
		shown[faas.HeaderConsole] = h.Values(faas.HeaderConsole)
	}
	return c, shown, nil
}
