package platform

import (
	"context"
	"net/http"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/faas"
)

// SignedIn tells who calls by a token or by the console's cookie, as a function's first door does (faas.Authenticate), and the
// token: for connectors that people call.
func (p *Platform) SignedIn(ctx context.Context, h http.Header) (c access.Caller, token string, err error) {
	return faas.Authenticate(ctx, p, h)
}
