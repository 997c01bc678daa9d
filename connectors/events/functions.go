package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/openfaas/faas-provider/types"
)

const (
	maxList   = 8 << 20  // of the list of functions
	maxAnswer = 32 << 20 // of a function
)

// A wish is one thing a function wants to be called for.
type wish struct {
	function string
	topics   string // sorted, with commas; "" if it is a schedule
	schedule string
}

var validFunction = regexp.MustCompile(`^[A-Za-z0-9_-]{1,120}$`)

// list asks the gateway for all functions.
func (c *Connector) list(ctx context.Context) ([]types.FunctionStatus, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Gateway+"/system/functions", nil)
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(c.User, c.Password)
	response, err := c.gateway.Do(request)
	if err != nil {
		return nil, err
	}
	defer drain(response.Body)
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the gateway answered %s", response.Status)
	}
	var functions []types.FunctionStatus
	if err := json.NewDecoder(io.LimitReader(response.Body, maxList)).Decode(&functions); err != nil {
		return nil, fmt.Errorf("the gateway's list: %w", err)
	}
	return functions, nil
}

// wishes reads the annotations of functions. An annotation that makes no sense is logged every time and left out.
func (c *Connector) wishes(functions []types.FunctionStatus) map[wish]bool {
	wishes := make(map[wish]bool)
	for _, f := range functions {
		if f.Annotations == nil || !validFunction.MatchString(f.Name) {
			continue
		}
		if topics := splitTopics((*f.Annotations)["topic"]); topics != "" {
			wishes[wish{function: f.Name, topics: topics}] = true
		}
		if spec := strings.TrimSpace((*f.Annotations)["schedule"]); spec != "" {
			if _, err := parseSchedule(spec); err != nil {
				c.Log.Warn("schedule not understood", "function", f.Name, "schedule", spec, "error", err)
				continue
			}
			wishes[wish{function: f.Name, schedule: spec}] = true
		}
	}
	return wishes
}

func splitTopics(list string) string {
	var topics []string
	for topic := range strings.SplitSeq(list, ",") {
		if topic = strings.TrimSpace(topic); topic != "" {
			topics = append(topics, topic)
		}
	}
	slices.Sort(topics)
	return strings.Join(slices.Compact(topics), ",")
}

func (w wish) topicList() (topics []event.Topic) {
	for topic := range strings.SplitSeq(w.topics, ",") {
		topics = append(topics, event.Topic(topic))
	}
	return topics
}

// post makes one of the connector's own calls, and once more when its authorization was refused and there is another by
// now. Any status but 2xx is an error.
func (c *Connector) post(ctx context.Context, function, path string, header http.Header, body []byte) error {
	authorization, err := c.authorization(ctx, function)
	if err != nil {
		return err
	}
	err = c.postAs(ctx, authorization, function, path, header, body)
	if authorization == "" || c.Renew == nil || !errors.Is(err, errRefused) {
		return err
	}
	c.Renew(function, authorization)
	another, failed := c.authorization(ctx, function)
	switch {
	case failed != nil:
		return failed
	case another == authorization:
		return err
	}
	return c.postAs(ctx, another, function, path, header, body)
}

// authorization is the header for a call of function, "" if there is none.
func (c *Connector) authorization(ctx context.Context, function string) (string, error) {
	if c.Authorize == nil {
		return "", nil
	}
	authorization, err := c.Authorize(ctx, function)
	if err != nil {
		return "", fmt.Errorf("authorize call of %s: %w", function, err)
	}
	return authorization, nil
}

var errRefused = errors.New("the authorization was refused")

func (c *Connector) postAs(ctx context.Context, authorization, function, path string, header http.Header, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Gateway+"/function/"+function+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = header.Clone()
	trace.SetHeader(request.Header, trace.Of(ctx))
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := c.gateway.Do(request)
	if err != nil {
		return err
	}
	defer drain(response.Body)
	if response.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("function %s answered %s: %w", function, response.Status, errRefused)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("function %s answered %s", function, response.Status)
	}
	return nil
}

// finish is ctx for one call, which gets Grace to end by itself after ctx was cancelled: half a call is made again, and not
// every function can tell.
func (c *Connector) finish(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel()
			return
		}
		late := time.AfterFunc(c.Grace, cancel)
		context.AfterFunc(out, func() { late.Stop() })
	})
	return out, func() { stop(); cancel() }
}

// drain reads a little of what is left, so that the connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10)
	_ = body.Close()
}
