package testenv

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"path/filepath"
	"time"

	"payonce/pkg/sandbox"
	"payonce/pkg/sandbox/diamondpay"
	"payonce/pkg/sandbox/ecommpay"
	"payonce/pkg/sandbox/teemopay"
)

// The accounts of a test environment: every provider, with an account for each way in which a provider can be set
// up for a merchant.
const (
	TeemoPay         = "teemopay-kr"
	ECommPay         = "ecommpay-kr"           // customers get transfer instructions
	ECommPayRedirect = "ecommpay-kr-redirect"  // customers are redirected
	DiamondPayV1     = "diamondpay-kr-v1"      // signed with MD5; answers with links
	DiamondPayInfo   = "diamondpay-kr-v1-info" // answers with payment_info
	DiamondPayV2     = "diamondpay-kr-v2"      // signed with HMAC-SHA256; v2 and v1
	DiamondPayTWD    = "diamondpay-tw"         // New Taiwan dollars; answers in camelCase
)

// Numbers of the accounts at their providers. They are no secrets.
const (
	appCode    = "test-app"
	projectID  = 1770
	PlatformID = "PF0002" // of Diamond Pay
)

// Keys are the secrets of all accounts, made again for each testenv and marked as the sandbox's.
type Keys struct {
	teemopay teemopay.Keys
	shared   string // secret of the accounts that sign with a shared one
	token    string // of Diamond Pay's queries
	written  bool   // are in the folder
}

// NewKeys makes keys.
func NewKeys() (Keys, error) {
	pairs, err := teemopay.NewKeys()
	if err != nil {
		return Keys{}, err
	}
	text := make([]byte, 32)
	if _, err := rand.Read(text); err != nil {
		return Keys{}, err
	}
	return Keys{teemopay: pairs, shared: "sandbox-" + hex.EncodeToString(text[:16]), token: "sandbox-" + hex.EncodeToString(text[16:])}, nil
}

// ReadKeys reads the keys that [Keys.WriteConfig] wrote into dir, for a sandbox that is a process of its
// own.
func ReadKeys(dir string) (Keys, error) {
	dir = filepath.Join(dir, keysFolder)
	var k Keys
	var errs [4]error
	k.teemopay.Merchant, errs[0] = teemopay.ReadPrivate(filepath.Join(dir, teemopay.MerchantPrivateFile))
	k.teemopay.Platform, errs[1] = teemopay.ReadPrivate(filepath.Join(dir, teemopay.PlatformPrivateFile))
	k.shared, errs[2] = sandbox.ReadSecret(filepath.Join(dir, sharedFile))
	k.token, errs[3] = sandbox.ReadSecret(filepath.Join(dir, tokenFile))
	return k, errors.Join(errs[:]...)
}

// SharedSecret signs for the accounts of ECommPay and Diamond Pay.
func (k Keys) SharedSecret() string { return k.shared }

// PlatformKey signs TeemoPay's callbacks.
func (k Keys) PlatformKey() *rsa.PrivateKey { return k.teemopay.Platform }

// Accounts returns the accounts at the sandbox, as the configuration of [Keys.WriteConfig] uses them.
// edit, if set, may change each of them.
func (k Keys) Accounts(at Addresses, edit func(*sandbox.AccountConfig)) ([]sandbox.AccountConfig, error) {
	var accounts []sandbox.AccountConfig
	for _, name := range []string{TeemoPay, ECommPay, ECommPayRedirect, DiamondPayV1, DiamondPayInfo, DiamondPayV2, DiamondPayTWD} {
		protocol, err := k.protocol(name)
		if err != nil {
			return nil, err
		}
		account := sandbox.AccountConfig{
			Name: name, Protocol: protocol, CallbackURL: at.CallbackURL(name), MoveDelay: 300 * time.Millisecond,
			Retry: sandbox.Retry{First: 200 * time.Millisecond, Factor: 1.5, Max: 2 * time.Second, Attempts: 30},
		}
		if edit != nil {
			edit(&account)
		}
		accounts = append(accounts, account)
	}
	return accounts, nil
}

func (k Keys) protocol(name string) (sandbox.Protocol, error) {
	switch name {
	case TeemoPay:
		return teemopay.New(teemopay.Settings{AppCode: appCode, MerchantKey: &k.teemopay.Merchant.PublicKey, PlatformKey: k.teemopay.Platform})
	case ECommPay, ECommPayRedirect:
		return ecommpay.New(ecommpay.Settings{ProjectID: projectID, Secret: k.shared, Redirect: name == ECommPayRedirect, SignGeneral: name == ECommPayRedirect})
	case DiamondPayV2:
		return diamondpay.New(diamondpay.Settings{PlatformID: PlatformID, Secret: k.shared, SignType: diamondpay.HMACSHA256, Token: k.token, Currency: "KRW"})
	case DiamondPayTWD:
		return diamondpay.New(diamondpay.Settings{PlatformID: PlatformID, Secret: k.shared, SignType: diamondpay.HMACSHA256, Token: k.token, Currency: "TWD", CamelCase: true})
	default:
		return diamondpay.New(diamondpay.Settings{PlatformID: PlatformID, Secret: k.shared, SignType: diamondpay.MD5, Token: k.token, Currency: "KRW", LinksOnly: name != DiamondPayInfo})
	}
}
