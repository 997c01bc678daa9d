package http

import (
	"net/http"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/driver/format"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// stored is the answer to what a device has reported.
type stored struct {
	Epoch   *int64 `json:"epoch,omitempty"`
	Seq     *int64 `json:"seq,omitempty"`
	Waiting int    `json:"waiting"`

	Parked int         `json:"parked,omitempty"` // of what this call has brought
	Reason link.Reason `json:"reason,omitempty"`
	Detail string      `json:"detail,omitempty"`

	downs
}

func (v *visit) report(kind telemetry.Kind, topic string) *problem {
	received := v.h.now()
	payload, p := v.h.limits.body(v.w, v.r)
	if p != nil {
		return p
	}
	topic = "castor/" + v.session.Client + "/" + topic
	var became link.Receipt
	p = v.settle(v.device.serial, func(ack func(bool)) {
		in := link.Incoming{Kind: kind, Topic: topic, Payload: payload, Received: received}
		if told, ok := format.Of(v.r.Header.Get("Content-Type")); ok && kind == telemetry.Telemetry {
			in.Format = string(told)
		}
		v.device.link.ReportAs(in, func(r link.Receipt) {
			became = r
			ack(r.Stored)
		})
	})
	if p != nil {
		return p
	}
	return v.tell(became)
}

func (v *visit) log() *problem { return v.report(telemetry.Log, "log/"+v.word) }

func (v *visit) answer() *problem {
	return v.report(telemetry.Response, "command/"+v.word+"/response")
}

func (v *visit) ack() *problem { return v.tell(link.Receipt{}) }

// tell answers what is stored and what of it was parked, and brings commands to a device that asks for them here. What was parked is
// told by a success: it is kept, and a device that repeats what is refused would repeat it for ever.
func (v *visit) tell(r link.Receipt) *problem {
	out := stored{Parked: r.Parked, Reason: r.Reason, Detail: r.Detail}
	if o := v.device.link.Newest(); o != (twin.Order{}) {
		out.Epoch, out.Seq = &o.Epoch, &o.Seq
	}
	if v.commands {
		out.downs, _ = v.listen(0, false)
	}
	out.Waiting = v.device.link.Waiting()
	reply(v.w, out)
	return nil
}

// poll brings what waits, or what comes next.
func (v *visit) poll() *problem {
	out, replaced := v.listen(v.wait, true)
	switch {
	case replaced:
		return refuse(http.StatusConflict, "", "a newer poll of this device has begun", "keep one poll open at a time")
	case len(out.Commands)+len(out.Messages) > 0:
		reply(v.w, out)
	case v.session.Why() != nil:
		return v.ended()
	default:
		v.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}
