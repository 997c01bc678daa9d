package api

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// CredentialChanged is the data of event credential.changed.
type CredentialChanged struct {
	Ref  device.Ref `json:"ref"`
	Twin twin.ID    `json:"twin"`
}

// NewClaim asks for a claim.
type NewClaim struct {
	Type     twin.TypeID    `json:"type"`
	Owner    string         `json:"owner"`
	Location *twin.Location `json:"location,omitempty"`
	Serials  string         `json:"serials,omitempty"`
	Expires  twin.Duration  `json:"expires,omitempty"` // from now; 0 = 24h
	MaxUses  int64          `json:"maxUses,omitempty"` // 0 = 1
}

// ClaimFile is what a device needs to come in; it is handed out once, when the claim is made.
type ClaimFile struct {
	Claim   device.Claim `json:"claim"`
	Token   string       `json:"token"`   // the secret
	Gateway string       `json:"gateway"` // "tls://host:port" of the provisioning gateway
	CA      string       `json:"ca"`      // PEM: who signs the gateways
}

// ClaimUse asks for one use of a claim by a run. Asking twice for the same run counts once; a run that has given its use back
// gets none any more.
type ClaimUse struct {
	Run    string      `json:"run"`
	Type   twin.TypeID `json:"type"`
	Serial string      `json:"serial"`
}

// CertificateRequest asks the platform's CA to sign a device's key. The same twin and key get the same certificate again.
type CertificateRequest struct {
	Twin twin.ID `json:"twin"`
	Run  string  `json:"run"` // for whom: the certificate can be withdrawn by it; a run that has withdrawn gets none any more
	CSR  string  `json:"csr"` // PEM
}

// Certificate is a signed device certificate and the reference under which gateways know the device.
type Certificate struct {
	Ref         device.Ref `json:"ref"`
	Twin        twin.ID    `json:"twin"`
	Certificate string     `json:"certificate"` // PEM
	Fingerprint string     `json:"fingerprint"` // SHA-256 of the certificate, hexadecimal: the gateway's verifier
	Generation  int64      `json:"generation"`
	Expires     time.Time  `json:"expires"`
}

// Mapping is what the credential mapper knows of a device reference (paper 4.4.1). It holds no credential.
type Mapping struct {
	Ref  device.Ref  `json:"ref"`
	Twin twin.ID     `json:"twin"`
	Type twin.TypeID `json:"type"`

	// Generation grows whenever a reference is mapped to the twin anew.
	Generation int64 `json:"generation"`
}

// Resolve asks for the mappings of many references at once; those that have none are left out of the answer.
type Resolve struct {
	Refs []device.Ref `json:"refs"`
}

// CreateClaim makes a claim. The token is in this answer and nowhere else.
func (c *Client) CreateClaim(ctx context.Context, in NewClaim) (out ClaimFile, err error) {
	return out, c.Call(ctx, "POST", "credentials", "/claims", in, &out)
}

// ListClaims pages through the claims the caller may see.
func (c *Client) ListClaims(ctx context.Context, cursor string) (out Page[device.Claim], err error) {
	return out, c.Call(ctx, "GET", "credentials", "/claims"+query("cursor", cursor), nil, &out)
}

// GetClaim returns a claim without its token.
func (c *Client) GetClaim(ctx context.Context, id string) (out device.Claim, err error) {
	return out, c.Call(ctx, "GET", "credentials", "/claims/"+id, nil, &out)
}

// RevokeClaim ends a claim; devices that are connected with it are cut off.
func (c *Client) RevokeClaim(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "credentials", "/claims/"+id, nil, nil)
}

// UseClaim reserves a use of a claim for a run, or returns device.ErrClaim with the reason.
func (c *Client) UseClaim(ctx context.Context, id string, in ClaimUse) (out device.Claim, err error) {
	return out, c.Call(ctx, "POST", "credentials", "/claims/"+id+"/uses", in, &out)
}

// ReturnClaim gives a use back.
func (c *Client) ReturnClaim(ctx context.Context, id, run string) error {
	return c.Call(ctx, "DELETE", "credentials", "/claims/"+id+"/uses/"+run, nil, nil)
}

// CloseClaim tells that a run needs its use of the claim no more. Once that is so of every use there was, the claim is taken
// from the provisioning gateways.
func (c *Client) CloseClaim(ctx context.Context, id, run string) error {
	return c.Call(ctx, "POST", "credentials", "/claims/"+id+"/uses/"+run+"/close", nil, nil)
}

// IssueCertificate signs a device's CSR and maps its reference to the twin.
func (c *Client) IssueCertificate(ctx context.Context, in CertificateRequest) (out Certificate, err error) {
	return out, c.Call(ctx, "POST", "credentials", "/certificates", in, &out)
}

// EraseCertificate erases what was kept of a certificate for its delivery; mapping and fingerprint stay.
func (c *Client) EraseCertificate(ctx context.Context, ref device.Ref) error {
	return c.Call(ctx, "POST", "credentials", "/certificates/"+string(ref)+"/erase", nil, nil)
}

// WithdrawCertificate removes the certificate and the mapping that a twin got by a run, if it has them; the device is nobody
// from then on.
func (c *Client) WithdrawCertificate(ctx context.Context, id twin.ID, run string) error {
	return c.Call(ctx, "DELETE", "credentials", "/certificates"+query("twin", string(id), "run", run), nil, nil)
}

// Resolve maps device references to twins.
func (c *Client) Resolve(ctx context.Context, refs []device.Ref) (out []Mapping, err error) {
	return out, c.Call(ctx, "POST", "credentials", "/resolve", Resolve{refs}, &out)
}

// CA is the platform's CA certificate, PEM.
func (c *Client) CA(ctx context.Context) (string, error) {
	var out Raw
	err := c.Call(ctx, "GET", "credentials", "/ca", nil, &out)
	return string(out.Body), err
}
