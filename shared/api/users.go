package api

import (
	"context"
	"net/http"
	"time"

	"github.com/castor-iot/castor/shared/access"
)

// Login is a person's sign-in.
type Login struct {
	Name     string `json:"name"`
	Password string `json:"password"`

	// Bound is the value that the console's page sends as X-Castor-Console: the tokens count in its calls only. "" for all others.
	Bound string `json:"bound,omitempty"`
}

// Token is what signing in gives.
type Token struct {
	Access  string    `json:"access"`            // JWT, sent as "Authorization: Bearer …"
	Expires time.Time `json:"expires"`           // of Access
	Refresh string    `json:"refresh,omitempty"` // exchanged for a new Token
	User    *User     `json:"user,omitempty"`
}

// Session is what function console tells of a person's session; the tokens themselves are in cookies.
type Session struct {
	User    User      `json:"user"`
	Expires time.Time `json:"expires"` // of the access token: it is to be refreshed before
}

// HeaderClient carries the addresses of the person that function console signs in, as X-Forwarded-For has them: function users
// throttles by them. It counts from console only.
const HeaderClient = "X-Castor-Client"

// Refresh asks for a new token, or for the end of the session it belongs to.
type Refresh struct {
	Refresh string `json:"refresh"`
	Bound   string `json:"bound,omitempty"` // the value that the session was begun with: see Login
}

// Exchange asks for a token for one audience: a part of the platform or a service account shows its own secret. (The idea is RFC 8693's.)
type Exchange struct {
	Part     string `json:"part,omitempty"`    // a function's or connector's name …
	Account  string `json:"account,omitempty"` // … or a service account's id
	Secret   string `json:"secret"`
	Audience string `json:"audience"`          // the function to be called; "*" for service accounts
	Gateway  string `json:"gateway,omitempty"` // of a connector: the gateway whose devices it serves
}

// JWKS is the set of public keys that tokens are signed with (RFC 7517; Ed25519 keys are "OKP", RFC 8037).
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// JWK is one public key.
type JWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	Kid string `json:"kid"`
	X   string `json:"x"` // base64url without padding
	Alg string `json:"alg"`
	Use string `json:"use"`
}

// User is a person.
type User struct {
	ID       string        `json:"id" bson:"_id"`
	Name     string        `json:"name,omitempty" bson:"name,omitempty"`
	Email    string        `json:"email,omitempty" bson:"email,omitempty"`
	Roles    []access.Role `json:"roles" bson:"roles"`
	Groups   []string      `json:"groups,omitempty" bson:"groups,omitempty"`
	Disabled bool          `json:"disabled,omitempty" bson:"disabled,omitempty"`
	Created  time.Time     `json:"created" bson:"created"`
}

// NewUser makes a user.
type NewUser struct {
	User
	Password string `json:"password"`
}

// UserChange changes what it names of a user; nil leaves a field as it is.
type UserChange struct {
	Name     *string        `json:"name,omitempty"`
	Email    *string        `json:"email,omitempty"`
	Roles    *[]access.Role `json:"roles,omitempty"`
	Groups   *[]string      `json:"groups,omitempty"`
	Disabled *bool          `json:"disabled,omitempty"`
}

// PasswordChange sets a password; Old is needed from the user, not from a maintainer.
type PasswordChange struct {
	Old string `json:"old,omitempty"`
	New string `json:"new"`
}

// Group is a department or a development phase (paper 4.2.1).
type Group struct {
	ID      string    `json:"id" bson:"_id"`
	Name    string    `json:"name,omitempty" bson:"name,omitempty"`
	Created time.Time `json:"created" bson:"created"`
}

// Account is a service account: an external application.
type Account struct {
	ID      string        `json:"id" bson:"_id"`
	Name    string        `json:"name,omitempty" bson:"name,omitempty"`
	Roles   []access.Role `json:"roles,omitempty" bson:"roles,omitempty"`
	Groups  []string      `json:"groups,omitempty" bson:"groups,omitempty"`
	Created time.Time     `json:"created" bson:"created"`

	// Secret is set in the answer to its making only.
	Secret string `json:"secret,omitempty" bson:"-"`
}

// Login signs a person in.
func (c *Client) Login(ctx context.Context, in Login) (out Token, err error) {
	return out, c.Call(ctx, "POST", "users", "/login", in, &out)
}

// LoginFor signs a person in whose call came from another address than this one does: see HeaderClient.
func (c *Client) LoginFor(ctx context.Context, forwarded []string, in Login) (out Token, err error) {
	return out, c.call(ctx, "POST", "users", "/login", http.Header{HeaderClient: forwarded}, in, &out)
}

// Refresh exchanges a refresh token. The one given is used up: within 30 s it gives the same new one again, later it ends the
// session.
func (c *Client) Refresh(ctx context.Context, refresh string) (out Token, err error) {
	return c.RefreshBound(ctx, Refresh{Refresh: refresh})
}

// RefreshBound is Refresh for a session that may be bound to a page of the console.
func (c *Client) RefreshBound(ctx context.Context, in Refresh) (out Token, err error) {
	return out, c.Call(ctx, "POST", "users", "/refresh", in, &out)
}

// Logout ends the session of a refresh token.
func (c *Client) Logout(ctx context.Context, refresh string) error {
	return c.LogoutBound(ctx, Refresh{Refresh: refresh})
}

// LogoutBound is Logout for a session that may be bound to a page of the console.
func (c *Client) LogoutBound(ctx context.Context, in Refresh) error {
	return c.Call(ctx, "POST", "users", "/logout", in, nil)
}

// Exchange trades a secret for a token.
func (c *Client) Exchange(ctx context.Context, in Exchange) (out Token, err error) {
	return out, c.Call(ctx, "POST", "users", "/token", in, &out)
}

// Keys are the public keys that tokens are signed with.
func (c *Client) Keys(ctx context.Context) (out JWKS, err error) {
	return out, c.Call(ctx, "GET", "users", "/keys", nil, &out)
}

// Me is the user who calls.
func (c *Client) Me(ctx context.Context) (out User, err error) {
	return out, c.Call(ctx, "GET", "users", "/me", nil, &out)
}

// MeAt is Me for a token that may be bound to a page of the console, of whose call h is the header.
func (c *Client) MeAt(ctx context.Context, h http.Header) (out User, err error) {
	return out, c.call(ctx, "GET", "users", "/me", h, nil, &out)
}

// RotateKeys makes a new signing key. Tokens signed with those before stay good until they end. It is
// ErrTooMany while as many keys as are published at a time are in use.
func (c *Client) RotateKeys(ctx context.Context) (out JWKS, err error) {
	return out, c.Call(ctx, "POST", "users", "/keys", nil, &out)
}

// CreateUser makes a user.
func (c *Client) CreateUser(ctx context.Context, in NewUser) (out User, err error) {
	return out, c.Call(ctx, "POST", "users", "/users", in, &out)
}

// ListUsers pages through the users.
func (c *Client) ListUsers(ctx context.Context, cursor string) (out Page[User], err error) {
	return out, c.Call(ctx, "GET", "users", "/users"+query("cursor", cursor), nil, &out)
}

// GetUser returns a user.
func (c *Client) GetUser(ctx context.Context, id string) (out User, err error) {
	return out, c.Call(ctx, "GET", "users", "/users/"+id, nil, &out)
}

// DeleteUser removes a user; the id stays taken. The last maintainer stays: ErrConflict.
func (c *Client) DeleteUser(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "users", "/users/"+id, nil, nil)
}

// UpdateUser changes a user.
func (c *Client) UpdateUser(ctx context.Context, id string, in UserChange) (out User, err error) {
	return out, c.Call(ctx, "PATCH", "users", "/users/"+id, in, &out)
}

// SetPassword sets a user's password and ends the user's sessions.
func (c *Client) SetPassword(ctx context.Context, id string, in PasswordChange) error {
	return c.Call(ctx, "POST", "users", "/users/"+id+"/password", in, nil)
}

// CreateGroup makes a group.
func (c *Client) CreateGroup(ctx context.Context, in Group) (out Group, err error) {
	return out, c.Call(ctx, "POST", "users", "/groups", in, &out)
}

// ListGroups pages through the groups.
func (c *Client) ListGroups(ctx context.Context, cursor string) (out Page[Group], err error) {
	return out, c.Call(ctx, "GET", "users", "/groups"+query("cursor", cursor), nil, &out)
}

// GetGroup returns a group.
func (c *Client) GetGroup(ctx context.Context, id string) (out Group, err error) {
	return out, c.Call(ctx, "GET", "users", "/groups/"+id, nil, &out)
}

// DeleteGroup removes a group that has no members and owns no twins; the id stays taken.
func (c *Client) DeleteGroup(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "users", "/groups/"+id, nil, nil)
}

// ListAccounts pages through the service accounts.
func (c *Client) ListAccounts(ctx context.Context, cursor string) (out Page[Account], err error) {
	return out, c.Call(ctx, "GET", "users", "/accounts"+query("cursor", cursor), nil, &out)
}

// GetAccount returns a service account.
func (c *Client) GetAccount(ctx context.Context, id string) (out Account, err error) {
	return out, c.Call(ctx, "GET", "users", "/accounts/"+id, nil, &out)
}

// DeleteAccount removes a service account; the id stays taken.
func (c *Client) DeleteAccount(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "users", "/accounts/"+id, nil, nil)
}

// CreateAccount makes a service account; its secret is in this answer and nowhere else.
func (c *Client) CreateAccount(ctx context.Context, in Account) (out Account, err error) {
	return out, c.Call(ctx, "POST", "users", "/accounts", in, &out)
}
