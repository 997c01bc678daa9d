package http

// confirm tells the platform that the device has arrived.
func (v *visit) confirm() *problem {
	if p := v.nothing(); p != nil {
		return p
	}
	if p := v.settle(v.device.serial, v.device.link.Confirm); p != nil {
		return p
	}
	reply(v.w, struct{}{})
	return nil
}

// nothing reads a body that says nothing.
func (v *visit) nothing() *problem {
	_, p := v.h.body(v.w, v.r)
	return p
}
