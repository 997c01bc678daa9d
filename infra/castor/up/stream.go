package up

import (
	"context"
	"net/http"

	"github.com/castor-iot/castor/connectors/stream"
	"github.com/castor-iot/castor/shared/platform"
)

// startStream starts the connector of people who look at twins now, and returns what serves them.
func (c *Castor) startStream(serving context.Context) (http.Handler, error) {
	secret, err := c.base.Secrets(platform.PartSecret("stream", ""))
	if err != nil {
		return nil, err
	}
	part := platform.New(c.base, "stream", "")
	s, err := stream.New(stream.Config{Bus: c.base.Bus, API: part.API, Authenticate: part.SignedIn, Secret: secret, Log: c.base.Log, Now: c.config.Now})
	if err != nil {
		return nil, err
	}
	c.run(serving, "connector stream", s.Run)
	return s, nil
}
