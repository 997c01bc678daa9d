package linktest

import (
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

// AdmitOwn lets a device in by user name and password whose firmware has topics and a client id of its own.
func (w *World) AdmitOwn(ref device.Ref, topics api.Topics) Identity {
	w.t.Helper()
	id, a, _ := Secret(ref, device.Password)
	id.Client, a.Topics = "client of "+string(ref), &topics
	w.Admit(a)
	return id
}
