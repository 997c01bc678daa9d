package http

import "github.com/castor-iot/castor/shared/api"

// confirm tells the platform that the device has arrived.
func (v *visit) confirm() *problem {
	return v.nothing(v.device.link.Confirm)
}

// confirmCredential tells the platform that the device uses what this request shows: others, with what it had before, may be
// under way in the same session.
func (v *visit) confirmCredential() *problem {
	return v.nothing(func(ack func(bool)) { v.device.link.ConfirmCredential(v.h.door.Proof(v.shown), ack) })
}

// nothing does what needs no words, and answers with none.
func (v *visit) nothing(do func(ack func(bool))) *problem {
	if _, p := v.h.limits.body(v.w, v.r); p != nil {
		return p
	}
	if p := v.settle(v.device.serial, do); p != nil {
		return p
	}
	reply(v.w, struct{}{})
	return nil
}

// renew answers with the device's next credential, or why there is none.
func (v *visit) renew() *problem {
	payload, p := v.h.limits.body(v.w, v.r)
	if p != nil {
		return p
	}
	answer := make(chan api.RenewAnswer, 1)
	p = v.settle(v.device.serial, func(ack func(bool)) {
		v.device.link.Renew(payload, func(a api.RenewAnswer) { answer <- a }, ack)
	})
	if p != nil {
		return p
	}
	switch a := <-answer; {
	case a.Reason == "":
		reply(v.w, a)
		return nil
	case a.RetryAfter > 0:
		return later(a.Status, a.RetryAfter, a.Reason)
	default:
		return refuse(a.Status, "", a.Reason, "")
	}
}
