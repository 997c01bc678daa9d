package local

import (
	"crypto/subtle"
	"log/slog"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/nats-io/nats-server/v2/server"
)

// A doorkeeper tells NATS who may do what: who shows the token everything, a guest what its scope says, others nothing.
type doorkeeper struct {
	token  string
	guests func(user, password string) (bus.Scope, bool)
	log    *slog.Logger
}

// Check implements server.Authentication.
func (d *doorkeeper) Check(c server.ClientAuthentication) bool {
	shown := c.GetOpts()
	if shown.Token != "" {
		if subtle.ConstantTimeCompare([]byte(shown.Token), []byte(d.token)) != 1 {
			return false
		}
		c.RegisterUser(&server.User{})
		return true
	}
	if shown.Username == "" || d.guests == nil {
		return false
	}
	scope, ok := d.guests(shown.Username, shown.Password)
	if !ok {
		return false
	}
	publish, subscribe, err := scope.Subjects()
	if err != nil {
		d.log.Warn("bus does not let a guest in", "user", shown.Username, "error", err)
		return false
	}
	c.RegisterUser(&server.User{Username: shown.Username, Permissions: &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: subscribe},
		Response:  &server.ResponsePermission{MaxMsgs: 1, Expires: bus.AnswerWithin},
	}})
	return true
}
