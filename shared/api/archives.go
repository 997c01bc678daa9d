package api

import (
	"context"
	"net/url"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// ArchiveState is where an archive is.
type ArchiveState string

// The states of an archive.
const (
	ArchiveWaiting ArchiveState = "waiting" // for Reason; nothing of the twin's data is lost meanwhile
	ArchiveWriting ArchiveState = "writing"
	ArchiveReady   ArchiveState = "ready"
	ArchiveErased  ArchiveState = "erased" // somebody erased it before it was ready; the rest goes soon
)

// An Archive is what was kept of a deleted twin: one gzip file of lines of JSON (NDJSON) in the object store. Its first line
// has the twin's document, then come the records of its history by time, the messages that were parked, and a line that
// says how many there are of both.
type Archive struct {
	ID      string       `json:"id" bson:"_id"` // the twin's id, '@' and when it was deleted
	Twin    twin.ID      `json:"twin" bson:"twin"`
	Kind    twin.Kind    `json:"kind" bson:"kind"`
	Type    twin.TypeID  `json:"type,omitempty" bson:"type,omitempty"`
	Name    string       `json:"name,omitempty" bson:"name,omitempty"`
	Owner   string       `json:"owner,omitempty" bson:"owner,omitempty"`
	By      string       `json:"by" bson:"by"`           // who deleted it
	Deleted time.Time    `json:"deleted" bson:"deleted"` // when
	State   ArchiveState `json:"state" bson:"state"`
	Reason  string       `json:"reason,omitempty" bson:"reason,omitempty"` // what it waits for

	// Key is where the file is in the object store. Records, Parked and Size (bytes) grow while it is written; SHA256 and
	// Archived are set when it has been read back and found whole.
	Key      string    `json:"key" bson:"key"`
	Records  int64     `json:"records" bson:"records"`
	Parked   int64     `json:"parked" bson:"parked"`
	Size     int64     `json:"size" bson:"size"`
	SHA256   string    `json:"sha256,omitempty" bson:"sha256,omitempty"`
	Archived time.Time `json:"archived,omitzero" bson:"archived,omitempty"`
}

// ArchiveLine is one line of an archive; one field is set.
type ArchiveLine struct {
	Twin   any            `json:"twin,omitempty"`
	Record *Record        `json:"record,omitempty"`
	Parked *ParkedMessage `json:"parked,omitempty"`
	End    *ArchiveEnd    `json:"end,omitempty"`
}

// ArchiveEnd is the last line of an archive.
type ArchiveEnd struct {
	Records int64 `json:"records"`
	Parked  int64 `json:"parked"`
}

// ArchiveURL is where an archive can be downloaded, by anybody who has the URL, until it expires.
type ArchiveURL struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// ListArchives pages through the archives of the caller's groups; a maintainer sees all.
func (c *Client) ListArchives(ctx context.Context, cursor string) (out Page[Archive], err error) {
	return out, c.Call(ctx, "GET", "twins", "/archives"+query("cursor", cursor), nil, &out)
}

// GetArchive returns an archive, also one that is not ready.
func (c *Client) GetArchive(ctx context.Context, id string) (out Archive, err error) {
	return out, c.Call(ctx, "GET", "twins", "/archives/"+url.PathEscape(id), nil, &out)
}

// ArchiveURL returns where an archive that is ready can be downloaded; ErrConflict if it is not.
func (c *Client) ArchiveURL(ctx context.Context, id string) (out ArchiveURL, err error) {
	return out, c.Call(ctx, "GET", "twins", "/archives/"+url.PathEscape(id)+"/url", nil, &out)
}

// EraseArchive erases what was kept of a deleted twin, for ever.
func (c *Client) EraseArchive(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "twins", "/archives/"+url.PathEscape(id), nil, nil)
}

// DeleteTwinAs is DeleteTwin that says what becomes of the twin's data: twin.Archive or twin.Erase.
func (c *Client) DeleteTwinAs(ctx context.Context, id twin.ID, data string) error {
	return c.Call(ctx, "DELETE", "twins", "/twins/"+url.PathEscape(string(id))+query("data", data), nil, nil)
}
