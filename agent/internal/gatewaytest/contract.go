package gatewaytest

import (
	"encoding/json"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// asked takes a provisioning request and returns the answer; nil is none.
func (p *Platform) asked(client, claim string, payload []byte) (*api.ProvisionAnswer, error) {
	req := api.ProvisionRequest{Client: client, Claim: claim}
	if err := json.Unmarshal(payload, &req); err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.requests = append(p.requests, req)
	answer := p.Answer
	p.mu.Unlock()
	if answer == nil {
		answer = p.Accept
	}
	p.answering.Lock() // scripts count
	defer p.answering.Unlock()
	return answer(req), nil
}

// knocking tells whether devices may knock.
func (p *Platform) knocking() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Knocked != nil
}

// knocked takes a knock and returns the answer; nil is none.
func (p *Platform) knocked(client string, payload []byte) (*api.ProvisionAnswer, error) {
	k := api.Knock{Client: client}
	if err := json.Unmarshal(payload, &k); err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.knocks = append(p.knocks, k)
	answer := p.Knocked
	p.mu.Unlock()
	p.answering.Lock()
	defer p.answering.Unlock()
	return answer(k), nil
}

// confirmed takes a confirmation, or does not.
func (p *Platform) confirmed(ref device.Ref) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.confirms = append(p.confirms, ref)
	if p.DenyConfirm > 0 {
		p.DenyConfirm--
		return false
	}
	return true
}

// reported takes what a device says. ack is called, unless the platform is mute, before the next message is taken.
func (p *Platform) reported(ref device.Ref, topic string, payload []byte, ack func(twin.Order)) (stored bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Hold {
		return false
	}
	msgs, err := decode(payload)
	if err != nil {
		msgs = []Message{{Text: "undecoded: " + err.Error()}}
	}
	for _, m := range msgs {
		m.Ref, m.Topic = ref, topic
		p.messages = append(p.messages, m)
	}
	p.publications++
	if !p.Mute {
		ack(msgs[len(msgs)-1].Order)
	}
	return true
}

func decode(payload []byte) (out []Message, err error) {
	type wire struct {
		twin.Order
		Time  time.Time
		Data  map[string]any
		Level string
		Text  string

		Status, Reason string
		Output         json.RawMessage
	}
	var all []wire
	if payload[0] == '[' {
		err = json.Unmarshal(payload, &all)
	} else {
		all = make([]wire, 1)
		err = json.Unmarshal(payload, &all[0])
	}
	for _, w := range all {
		out = append(out, Message{Order: w.Order, Time: w.Time, Data: w.Data, Level: w.Level, Text: w.Text,
			Status: w.Status, Output: string(w.Output), Reason: w.Reason})
	}
	return out, err
}
