package http

import (
	"net/http"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// stored is the answer to what a device has reported.
type stored struct {
	Epoch   *int64 `json:"epoch,omitempty"`
	Seq     *int64 `json:"seq,omitempty"`
	Waiting int    `json:"waiting"`
	downs
}

func (v *visit) report(kind telemetry.Kind, topic string) *problem {
	received := v.h.now()
	payload, p := v.h.body(v.w, v.r)
	if p != nil {
		return p
	}
	topic = "castor/" + v.session.Client + "/" + topic
	p = v.settle(v.device.serial, func(ack func(bool)) { v.device.link.Publish(kind, topic, payload, received, ack) })
	if p != nil {
		return p
	}
	return v.tell()
}

func (v *visit) log() *problem { return v.report(telemetry.Log, "log/"+v.word) }

func (v *visit) answer() *problem {
	return v.report(telemetry.Response, "command/"+v.word+"/response")
}

func (v *visit) ack() *problem { return v.tell() }

// tell answers what is stored, and brings commands to a device that asks for them here.
func (v *visit) tell() *problem {
	out := stored{}
	if o := v.device.link.Newest(); o != (twin.Order{}) {
		out.Epoch, out.Seq = &o.Epoch, &o.Seq
	}
	if v.commands {
		out.downs, _ = v.device.listen(v.ctx, v.session.Done(), v.moment(), false)
	}
	out.Waiting = v.device.link.Waiting()
	reply(v.w, out)
	return nil
}

// moment is how long an answer waits for commands that are known to wait, but have to be fetched; or may be, because the device
// has just come.
func (v *visit) moment() time.Duration {
	const moment = time.Second
	if v.device.link.Waiting() > 0 || time.Since(v.device.since) < moment {
		return moment
	}
	return 0
}

// poll brings what waits, or what comes next.
func (v *visit) poll() *problem {
	out, replaced := v.device.listen(v.ctx, v.session.Done(), max(v.wait, v.moment()), true)
	switch {
	case replaced:
		return refuse(http.StatusConflict, "", "a newer poll of this device has begun", "keep one poll open at a time")
	case out.count() > 0:
		reply(v.w, out)
	case v.session.Why() != nil:
		return v.ended()
	default:
		v.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}
