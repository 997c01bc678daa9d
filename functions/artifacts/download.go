package artifacts

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
)

// downloadFor is how long the URL of a download is good. One that has begun goes on.
const downloadFor = 15 * time.Minute

// download tells where the content is: as JSON to who accepts that, else by sending there.
func (f *function) download(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	v, err := f.find(ctx, c, access.Read)
	if err != nil {
		return faas.Reply{}, err
	}
	if v.State != api.ArtifactReady {
		return faas.Reply{}, fmt.Errorf("%w: artifact %s is %s, not ready", api.ErrConflict, v.ID, v.State)
	}
	expires := f.p.Time().Add(downloadFor)
	url, err := f.p.Objects.DownloadURL(ctx, v.Objects[0], v.Name, v.MediaType, downloadFor)
	if err != nil {
		return faas.Reply{}, err
	}
	if strings.Contains(c.Header.Get("Accept"), "application/json") {
		return faas.Reply{Value: api.ArtifactDownload{URL: url, Expires: expires, Name: v.Name, MediaType: v.MediaType, Size: v.Size, SHA256: v.SHA256}}, nil
	}
	return faas.Reply{Status: http.StatusFound, Header: http.Header{"Location": {url}}}, nil
}
