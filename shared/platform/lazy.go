package platform

import (
	"context"
	"os"

	"github.com/castor-iot/castor/shared/faas"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Lazy makes the handler that OpenFaaS calls: it opens the platform from environment and secrets on the first call, keeps
// it, and tries again at the next call when that failed (at most once a second).
func Lazy(part string, build func(*Platform) faas.Func) func(handler.Request) (handler.Response, error) {
	o := opener{part: part, open: func(ctx context.Context) (faas.Func, error) {
		b, err := Open(ctx, os.Getenv)
		if err != nil {
			return nil, err
		}
		return build(New(b, part, "")), nil
	}, failed: func(err error) { os.Stderr.WriteString("function " + part + ": " + err.Error() + "\n") }}
	return o.call
}
