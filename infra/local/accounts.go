package local

import (
	"errors"

	"github.com/versity/versitygw/auth"
)

// accounts tells the object store its tenants' keys. Nobody can change them over the network.
type accounts struct{ tenants *tenants }

var errFixedAccounts = errors.New("accounts of the local object store are fixed")

func (a accounts) GetUserAccount(access string) (auth.Account, error) {
	a.tenants.mu.RLock()
	defer a.tenants.mu.RUnlock()
	for _, t := range a.tenants.bucket {
		if t.access == access {
			return auth.Account{Access: t.access, Secret: t.secret, Role: auth.RoleUser}, nil
		}
	}
	return auth.Account{}, auth.ErrNoSuchUser
}

func (a accounts) ResolveAccounts(keys []string) (missing []string, err error) {
	for _, key := range keys {
		if _, err := a.GetUserAccount(key); err != nil {
			missing = append(missing, key)
		}
	}
	return missing, nil
}

func (a accounts) CreateAccount(auth.Account) error                  { return errFixedAccounts }
func (a accounts) UpdateUserAccount(string, auth.MutableProps) error { return errFixedAccounts }
func (a accounts) DeleteUserAccount(string) error                    { return errFixedAccounts }
func (a accounts) ListUserAccounts() ([]auth.Account, error)         { return nil, errFixedAccounts }
func (a accounts) Shutdown() error                                   { return nil }
