package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"payonce/pkg/sandbox"
	"payonce/pkg/sandbox/teemopay"
)

// The files with secrets, beside the key files of package teemopay.
const (
	ecommpaySecretFile   = "ecommpay_secret.txt"
	diamondpaySecretFile = "diamondpay_secret.txt"
	diamondpayTokenFile  = "diamondpay_token.txt"
)

func keysCommand() *cobra.Command {
	var dir string
	c := strict(&cobra.Command{
		Use:   "keys",
		Short: "Create the keys and secrets of sandbox accounts",
		Long: `Create the keys and secrets of sandbox accounts of every kind, readable by their owner only. Existing files are
not replaced.

  TeemoPay      ` + teemopay.MerchantPrivateFile + `, ` + teemopay.MerchantPublicFile + `: the merchant signs requests
                ` + teemopay.PlatformPrivateFile + `, ` + teemopay.PlatformPublicFile + `: the platform signs callbacks
  ECommPay      ` + ecommpaySecretFile + `: signs both ways
  Diamond Pay   ` + diamondpaySecretFile + `: signs both ways; ` + diamondpayTokenFile + `: Authorization of queries

PEM files carry the header "Sandbox: payonce", secrets begin with "` + sandbox.SecretMark + `": the sandbox accepts no others,
and production can refuse them.`,
		Example: "  sandbox keys --dir keys",
	})
	c.Flags().StringVar(&dir, "dir", "", "folder for the files, created if missing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if dir == "" {
			return usageError{errors.New("--dir is required")}
		}
		return makeKeys(dir, c.OutOrStdout())
	}
	return c
}

// makeKeys makes the folder and all files.
func makeKeys(dir string, stdout io.Writer) error {
	keys, err := teemopay.NewKeys()
	if err != nil {
		return err
	}
	if err := keys.Write(dir); err != nil {
		return fmt.Errorf("write the keys: %w", err)
	}
	for _, name := range []string{ecommpaySecretFile, diamondpaySecretFile, diamondpayTokenFile} {
		if err := sandbox.WriteSecret(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("write the secrets: %w", err)
		}
	}
	_, err = fmt.Fprintf(stdout, "created sandbox keys: %s\n", dir)
	return err
}

// makeMissingKeys makes the folder with its files when it does not exist.
func makeMissingKeys(dir string, stdout io.Writer) error {
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return makeKeys(dir, stdout)
}
