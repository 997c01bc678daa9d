package networkserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// A queue is how one kind of network server has frames queued.
type queue struct {
	path      *regexp.Regexp // its group is the device
	keyHeader string
	numbers   bool // it answers with an id of its own
	read      func(device string, body []byte) ([]Frame, error)
}

// A refusal is what else is answered.
type refusal struct {
	status int
	why    string
}

var queues = []*queue{
	{regexp.MustCompile(`^/api/v3/as/applications/[a-z0-9-]+/webhooks/[a-z0-9-]+/devices/([a-z0-9-]+)/down/push$`), "Authorization", false, readThings},
	{regexp.MustCompile(`^/api/devices/([0-9a-f]{16})/queue$`), "Grpc-Metadata-Authorization", true, readChirp},
}

// queueOf is the queue that a path leads to, and the device; nil = none.
func queueOf(path string) (of *queue, device string) {
	for _, q := range queues {
		if m := q.path.FindStringSubmatch(path); m != nil {
			return q, m[1]
		}
	}
	return nil, ""
}

// judge reads what is to be queued, or says why it is not.
func (q *queue) judge(r *http.Request, device string, body []byte) ([]Frame, *refusal) {
	switch {
	case r.Method != http.MethodPost:
		return nil, &refusal{http.StatusMethodNotAllowed, "Method Not Allowed"}
	case r.Header.Get(q.keyHeader) != "Bearer "+Key:
		return nil, &refusal{http.StatusUnauthorized, "authentication failed"}
	}
	if of := r.Header.Get("Content-Type"); of != "application/json" {
		return nil, &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type %q is not application/json", of)}
	}
	frames, err := q.read(device, body)
	if err == nil && len(frames) == 0 {
		err = errors.New("no frames")
	}
	for i := range frames {
		if f := &frames[i]; err == nil && (f.Port < 1 || f.Port > 223 || len(f.Payload) > 242) { // LoRaWAN 1.0.4, 4.3.2; RP002, 2.4.6
			err = fmt.Errorf("port %d must be 1 to 223, and a frame of %d bytes at most 242", f.Port, len(f.Payload))
		}
	}
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, err.Error()}
	}
	return frames, nil
}

// readThings reads ApplicationDownlinks of The Things Stack.
func readThings(device string, body []byte) (frames []Frame, err error) {
	var m struct {
		Downlinks []struct {
			Port         int      `json:"f_port"`
			Payload      []byte   `json:"frm_payload"`
			Confirmed    bool     `json:"confirmed"`
			Priority     string   `json:"priority"`
			Correlations []string `json:"correlation_ids"`
		} `json:"downlinks"`
	}
	if err := strict(body, &m); err != nil {
		return nil, err
	}
	for _, d := range m.Downlinks {
		if !strings.Contains(" LOWEST LOW BELOW_NORMAL NORMAL ABOVE_NORMAL HIGH HIGHEST ", " "+d.Priority+" ") && d.Priority != "" {
			return nil, fmt.Errorf("priority %q is none", d.Priority)
		}
		frames = append(frames, Frame{Device: device, Port: d.Port, Payload: d.Payload, Confirmed: d.Confirmed, Priority: d.Priority, Names: d.Correlations})
	}
	return frames, nil
}

// readChirp reads an EnqueueDeviceQueueItemRequest of ChirpStack, of 4.10.1 or newer: older ones know no expiresAt, and pass over it.
func readChirp(device string, body []byte) ([]Frame, error) {
	var m struct {
		Item struct {
			EUI       string    `json:"devEui"`
			Port      int       `json:"fPort"`
			Data      []byte    `json:"data"`
			Confirmed bool      `json:"confirmed"`
			Expires   time.Time `json:"expiresAt"`
		} `json:"queueItem"`
	}
	if err := strict(body, &m); err != nil {
		return nil, err
	}
	if m.Item.EUI != device {
		return nil, fmt.Errorf("devEui %q is not that of the path", m.Item.EUI)
	}
	return []Frame{{Device: device, Port: m.Item.Port, Payload: m.Item.Data, Confirmed: m.Item.Confirmed, Expires: m.Item.Expires}}, nil
}

// strict reads JSON of which every field is known.
func strict(body []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(to)
}
