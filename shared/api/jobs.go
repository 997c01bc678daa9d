package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/twin"
)

// JobAction is what a job does to each of its twins.
type JobAction string

// The actions.
const (
	JobMerge  JobAction = "merge"  // changes the definition by a JSON Merge Patch (RFC 7396)
	JobPhase  JobAction = "phase"  // brings instances into another phase: suspended, operational (again) or retired
	JobDelete JobAction = "delete" // deletes
)

// JobState is where a job is.
type JobState string

// The states of a job. The last three are its ends.
const (
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobDone      JobState = "done"      // it has come to every twin; those it could not change are counted in Failed
	JobFailed    JobState = "failed"    // it ended before, for Reason
	JobCancelled JobState = "cancelled" // somebody ended it; Done and Failed say how far it came
)

// Ended tells whether nothing more happens in the state.
func (s JobState) Ended() bool { return s == JobDone || s == JobFailed || s == JobCancelled }

// JobFilter selects the twins of a job, in the words of TwinQuery; what is left out selects nothing out. At least one must be
// given. IDs, sorted out by the others, names them one by one: one that the caller cannot see is told of as failed.
type JobFilter struct {
	Kind      twin.Kind   `json:"kind,omitempty" bson:"kind,omitempty"`
	Type      twin.TypeID `json:"type,omitempty" bson:"type,omitempty"`
	Aggregate twin.ID     `json:"aggregate,omitempty" bson:"aggregate,omitempty"`
	Owner     string      `json:"owner,omitempty" bson:"owner,omitempty"`
	Phase     twin.Phase  `json:"phase,omitempty" bson:"phase,omitempty"`
	Tag       string      `json:"tag,omitempty" bson:"tag,omitempty"`
	Prefix    string      `json:"prefix,omitempty" bson:"prefix,omitempty"`
	Online    string      `json:"online,omitempty" bson:"online,omitempty"`
	Alarms    string      `json:"alarms,omitempty" bson:"alarms,omitempty"`
	Search    string      `json:"q,omitempty" bson:"q,omitempty"`
	IDs       []twin.ID   `json:"ids,omitempty" bson:"ids,omitempty"` // at most 1,000
}

// NewJob asks for a job. It acts with the rights that whoever asks has while it runs.
type NewJob struct {
	// ID makes asking idempotent: the same request with the same id is the same job. "" = the platform makes one.
	ID     string    `json:"id,omitempty"`
	Action JobAction `json:"action"`
	Filter JobFilter `json:"filter"`

	Patch json.RawMessage `json:"patch,omitempty"` // of action merge
	Phase twin.Phase      `json:"phase,omitempty"` // of action phase
	Data  string          `json:"data,omitempty"`  // of action delete: archive or erase; "" = as the twin's type says

	// DryRun has everything checked and counted, and nothing changed.
	DryRun bool `json:"dryRun,omitempty"`
}

// A Job changes many twins, one after the other, in the background.
type Job struct {
	ID     string          `json:"id" bson:"_id"`
	Action JobAction       `json:"action" bson:"action"`
	Filter JobFilter       `json:"filter" bson:"filter"`
	Patch  json.RawMessage `json:"patch,omitempty" bson:"patch,omitempty"`
	Phase  twin.Phase      `json:"phase,omitempty" bson:"phase,omitempty"`
	Data   string          `json:"data,omitempty" bson:"data,omitempty"`
	DryRun bool            `json:"dryRun,omitempty" bson:"dryRun,omitempty"`

	By    string   `json:"by" bson:"by"` // who asked for it: "user:ada"
	State JobState `json:"state" bson:"state"`

	// Reason is why it failed, or what became of twins that it counted and did not come to; while it runs, what it is waiting for, "" if for nothing.
	Reason string `json:"reason,omitempty" bson:"reason,omitempty"`

	// Total is how many twins were selected when it began (0 until they are counted), Done how many are as was asked, Failed
	// how many could not be changed. Progress is the part that is decided, 0 to 1.
	Total    int     `json:"total" bson:"total"`
	Done     int     `json:"done" bson:"done"`
	Failed   int     `json:"failed" bson:"failed"`
	Progress float64 `json:"progress" bson:"-"`

	// Cancelling is set from when somebody ends the job until it has stopped, at the end of the twins it is just at.
	Cancelling bool `json:"cancelling,omitempty" bson:"cancelling,omitempty"`

	Created  time.Time `json:"created" bson:"created"`
	Started  time.Time `json:"started,omitzero" bson:"started,omitempty"`
	Finished time.Time `json:"finished,omitzero" bson:"finished,omitempty"` // it is kept for 30 days from then
}

// JobResult tells why a job could not change one twin. The first 10,000 of a job are kept.
type JobResult struct {
	ID     string    `json:"-" bson:"_id"`
	Twin   twin.ID   `json:"twin" bson:"twin"`
	Status int       `json:"status" bson:"status"` // as a call for this twin alone would have been answered
	Reason string    `json:"reason" bson:"reason"`
	At     time.Time `json:"at" bson:"at"`
}

// CreateJob asks for a job and returns it, most likely still queued.
func (c *Client) CreateJob(ctx context.Context, in NewJob) (out Job, err error) {
	return out, c.Call(ctx, "POST", "twins", "/jobs", in, &out)
}

// GetJob returns one of the caller's jobs; a maintainer sees everybody's.
func (c *Client) GetJob(ctx context.Context, id string) (out Job, err error) {
	return out, c.Call(ctx, "GET", "twins", "/jobs/"+url.PathEscape(id), nil, &out)
}

// ListJobs pages through the caller's jobs, the newest first; a maintainer sees everybody's.
func (c *Client) ListJobs(ctx context.Context, cursor string) (out Page[Job], err error) {
	return out, c.Call(ctx, "GET", "twins", "/jobs"+query("cursor", cursor), nil, &out)
}

// JobResults pages by id through the twins that a job could not change.
func (c *Client) JobResults(ctx context.Context, id, cursor string) (out Page[JobResult], err error) {
	return out, c.Call(ctx, "GET", "twins", "/jobs/"+url.PathEscape(id)+"/results"+query("cursor", cursor), nil, &out)
}

// CancelJob ends a job. What it has done stays done; a job that has ended stays as it is.
func (c *Client) CancelJob(ctx context.Context, id string) (out Job, err error) {
	return out, c.Call(ctx, "POST", "twins", "/jobs/"+url.PathEscape(id)+"/cancel", nil, &out)
}

// WaitJob asks for a job until it has ended, and calls each with it every time; nil calls nothing.
func (c *Client) WaitJob(ctx context.Context, id string, each func(Job)) (Job, error) {
	for {
		j, err := c.GetJob(ctx, id)
		if err != nil {
			return j, err
		}
		if each != nil {
			each(j)
		}
		if j.State.Ended() {
			return j, nil
		}
		if !pause.For(ctx, 500*time.Millisecond) {
			return j, fmt.Errorf("job %s is %s: %w", id, j.State, ctx.Err())
		}
	}
}
