//go:build nogrpc

package agent

import (
	"context"

	"github.com/castor-iot/castor/shared/api"
)

// connectGRPC refuses: gRPC was left out of this build, which is 6 MB smaller for it.
func (a *Agent) connectGRPC(context.Context, string, login, heard) (session, error) {
	return nil, api.Invalid("this agent was built without gRPC (tag nogrpc): it needs a gateway whose address begins with tls://")
}
