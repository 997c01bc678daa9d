// Package console serves people the platform's user interface, and keeps their sessions in cookies that no script can read. The
// interface itself is in ui (TypeScript); what `make console` makes of it is embedded here. It decides nothing and stores
// nothing: whatever people see and do there they do by calls of the other functions, with their own rights.
package console

import (
	"embed"
	"io/fs"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// built holds ui/, what Vite has built; on a bare clone it holds no such folder.
//
//go:embed all:dist
var built embed.FS

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy("console", New)

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	ui, err := fs.Sub(built, "dist/ui")
	if err != nil {
		panic(err) // only for a name that is none
	}
	return serve(p, ui)
}

// serve returns the function with the interface that is in ui; without an index.html there is none.
func serve(p *platform.Platform, ui fs.FS) faas.Func {
	everybody := access.Allow{Public: true}
	files, s := readFiles(ui), newSessions(p)
	// Function users records who signs in and out, so nothing here is audited a second time.
	return faas.Routes{
		"GET /session":          faas.Op(p, everybody, s.show),
		"POST /session":         faas.Op(p, everybody, fromOurPage(s.begin)).Quiet(),
		"DELETE /session":       faas.Op(p, everybody, fromOurPage(s.end)).Quiet(),
		"POST /session/refresh": faas.Op(p, everybody, fromOurPage(s.refresh)).Quiet(),

		"GET /assets/{name...}": faas.Op(p, everybody, files.asset),
		"GET /{page...}":        faas.Op(p, everybody, files.page),
	}.Func()
}
