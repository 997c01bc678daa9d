package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// An Artifact is a file in the device artifact repository (paper 4.4.3): a system image, a client, a dependency.
type Artifact struct {
	ID        string   `json:"id" bson:"_id"`
	Name      string   `json:"name" bson:"name"`   // file name that downloads get
	Owner     string   `json:"owner" bson:"owner"` // group it belongs to
	MediaType string   `json:"mediaType" bson:"mediaType"`
	Size      int64    `json:"size" bson:"size"`     // bytes
	SHA256    string   `json:"sha256" bson:"sha256"` // of its content, hexadecimal
	Tags      []string `json:"tags,omitempty" bson:"tags,omitempty"`

	State  ArtifactState `json:"state" bson:"state"`
	Reason string        `json:"reason,omitempty" bson:"reason,omitempty"` // why it was refused

	// Verified is how many bytes were read to check size and SHA-256 so far, while verifying.
	Verified int64 `json:"verified,omitempty" bson:"verified,omitempty"`

	// References name who needs it, "FUNCTION:WHAT". While there is one it cannot be deleted.
	References []string `json:"references,omitempty" bson:"references,omitempty"`

	By      string    `json:"by" bson:"by"` // who made it
	Created time.Time `json:"created" bson:"created"`
}

// An ArtifactState is how far an artifact is.
type ArtifactState string

// The states of an artifact that people see.
const (
	ArtifactUploading ArtifactState = "uploading" // parts are awaited, for 24 h
	ArtifactVerifying ArtifactState = "verifying" // its content is being read
	ArtifactReady     ArtifactState = "ready"
	ArtifactRefused   ArtifactState = "refused" // its content is not what was announced, and is removed
)

// NewArtifact announces a file.
type NewArtifact struct {
	Name      string   `json:"name"`
	Owner     string   `json:"owner,omitempty"`     // may be left out by who is in one group only
	MediaType string   `json:"mediaType,omitempty"` // application/octet-stream if left out
	Size      int64    `json:"size"`
	SHA256    string   `json:"sha256"`
	Tags      []string `json:"tags,omitempty"`
}

// An Announced is an artifact with how to upload it. Upload is nil where nothing is to be uploaded any more.
type Announced struct {
	Artifact Artifact        `json:"artifact"`
	Upload   *ArtifactUpload `json:"upload,omitempty"`
}

// An ArtifactUpload says in which parts a file is sent. URLs are the first parts of the list GET …/parts pages through.
type ArtifactUpload struct {
	PartSize int64          `json:"partSize"` // bytes of every part but the last
	Parts    int            `json:"parts"`
	Until    time.Time      `json:"until"` // then the upload is given up
	URLs     []ArtifactPart `json:"urls"`
}

// An ArtifactPart is one part of an upload. Who holds its URL can write it, without any token, until it expires: it is a
// secret. PUT exactly Size bytes from (Number − 1) × PartSize on to it.
type ArtifactPart struct {
	Number  int       `json:"number"` // from 1 on
	Size    int64     `json:"size"`
	Done    bool      `json:"done,omitempty"`
	MD5     string    `json:"md5,omitempty"` // of what is done, hexadecimal; "" where the object store does not tell
	URL     string    `json:"url"`           // what is done can be sent again, if its MD5 is not that of the file
	Expires time.Time `json:"expires"`
}

// An ArtifactDownload is where the content is. Who holds the URL can read it, without any token, until it expires: it is a
// secret. Parts of the content can be read (Range).
type ArtifactDownload struct {
	URL       string    `json:"url"`
	Expires   time.Time `json:"expires"`
	Name      string    `json:"name"`
	MediaType string    `json:"mediaType"`
	Size      int64     `json:"size"`
	SHA256    string    `json:"sha256"`
}

// An ArtifactQuota is how much the artifacts of a group may take, and take. Artifacts of equal content count each.
type ArtifactQuota struct {
	Group    string `json:"group"`
	MaxBytes int64  `json:"maxBytes"`
	MaxCount int64  `json:"maxCount"`
	Bytes    int64  `json:"bytes"`
	Count    int64  `json:"count"`
}

// NewArtifactQuota sets how much the artifacts of a group may take.
type NewArtifactQuota struct {
	MaxBytes int64 `json:"maxBytes"`
	MaxCount int64 `json:"maxCount"`
}

// ArtifactQuery selects artifacts.
type ArtifactQuery struct {
	Name   string // only those whose name begins so, whatever the case
	Tag    string
	Owner  string
	Cursor string
	Limit  int
}

// CreateArtifact announces a file. The same file announced again by the same caller is the same artifact.
func (c *Client) CreateArtifact(ctx context.Context, in NewArtifact) (out Announced, err error) {
	return out, c.Call(ctx, "POST", "artifacts", "/artifacts", in, &out)
}

// ListArtifactParts pages through the parts of an upload: which are there, and URLs for all.
func (c *Client) ListArtifactParts(ctx context.Context, id, cursor string) (out Page[ArtifactPart], err error) {
	return out, c.Call(ctx, "GET", "artifacts", "/artifacts/"+url.PathEscape(id)+"/parts"+query("cursor", cursor), nil, &out)
}

// CompleteArtifact ends an upload and has its content verified. The artifact that comes back is still verifying where that
// takes long: call again, or look at it later.
func (c *Client) CompleteArtifact(ctx context.Context, id string) (out Artifact, err error) {
	return out, c.Call(ctx, "POST", "artifacts", "/artifacts/"+url.PathEscape(id)+"/complete", nil, &out)
}

// GetArtifact returns what is known of an artifact.
func (c *Client) GetArtifact(ctx context.Context, id string) (out Artifact, err error) {
	return out, c.Call(ctx, "GET", "artifacts", "/artifacts/"+url.PathEscape(id), nil, &out)
}

// ListArtifacts pages through artifacts by name.
func (c *Client) ListArtifacts(ctx context.Context, q ArtifactQuery) (out Page[Artifact], err error) {
	limit := ""
	if q.Limit > 0 {
		limit = strconv.Itoa(q.Limit)
	}
	return out, c.Call(ctx, "GET", "artifacts", "/artifacts"+query("name", q.Name, "tag", q.Tag, "owner", q.Owner, "cursor", q.Cursor, "limit", limit), nil, &out)
}

// DownloadArtifact returns where an artifact's content is.
func (c *Client) DownloadArtifact(ctx context.Context, id string) (out ArtifactDownload, err error) {
	return out, c.call(ctx, "GET", "artifacts", "/artifacts/"+url.PathEscape(id)+"/download", http.Header{"Accept": {"application/json"}}, nil, &out)
}

// DeleteArtifact deletes an artifact that nobody refers to, or gives an upload up.
func (c *Client) DeleteArtifact(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "artifacts", "/artifacts/"+url.PathEscape(id), nil, nil)
}

// ReferArtifact keeps an artifact from being deleted while the calling function needs it for referrer.
func (c *Client) ReferArtifact(ctx context.Context, id, referrer string) (out Artifact, err error) {
	return out, c.Call(ctx, "PUT", "artifacts", "/references/"+url.PathEscape(id)+"/"+url.PathEscape(referrer), nil, &out)
}

// ReleaseArtifact ends what ReferArtifact began; one that is not there is ended already.
func (c *Client) ReleaseArtifact(ctx context.Context, id, referrer string) error {
	return c.Call(ctx, "DELETE", "artifacts", "/references/"+url.PathEscape(id)+"/"+url.PathEscape(referrer), nil, nil)
}

// GetArtifactQuota returns what the artifacts of a group may take, and take.
func (c *Client) GetArtifactQuota(ctx context.Context, group string) (out ArtifactQuota, err error) {
	return out, c.Call(ctx, "GET", "artifacts", "/quotas/"+url.PathEscape(group), nil, &out)
}

// PutArtifactQuota sets what the artifacts of a group may take.
func (c *Client) PutArtifactQuota(ctx context.Context, group string, in NewArtifactQuota) (out ArtifactQuota, err error) {
	return out, c.Call(ctx, "PUT", "artifacts", "/quotas/"+url.PathEscape(group), in, &out)
}
