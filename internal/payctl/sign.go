package payctl

import (
	"fmt"

	"github.com/spf13/cobra"
)

const secretHelp = `

The secret is read from a file (--secret @FILE, without one final line end) or from the environment (--secret env:NAME).
It can also be given literally, but then it is in the shell's history.`

// signing are the schemes by provider, in the order of the help.
var signing = []struct {
	name, rule  string
	long        string
	new         func() scheme
	sign, check string // examples
}{
	{
		name: "ecommpay", rule: "HMAC-SHA512 in base64",
		long: `The body is any JSON object. "signature" and "frame_mode" are not signed. Numbers are signed as written, true as 1,
false as 0, null as an empty text; empty objects and lists add nothing.` + secretHelp,
		new: func() scheme { return &ecommpayScheme{} },
		sign: `  payctl sign ecommpay --secret env:ECOMMPAY_SECRET < body.json
  echo '{"general":{"project_id":200,"payment_id":"P-1"}}' | payctl sign ecommpay --secret @secret.txt`,
		check: `  payctl verify ecommpay --secret env:ECOMMPAY_SECRET < callback.json
  payctl verify ecommpay --secret @secret.txt --signature "$SIGNATURE" < body.json`,
	},
	{
		name: "diamondpay", rule: "MD5 or HMAC-SHA256 in hex",
		long: `The body is a JSON object. "sign", "sign_type", null and "" are not signed; zero is. Lists are signed as compact JSON.
Names in camelCase are signed in snake_case, as the provider does.` + secretHelp,
		new: func() scheme { return &diamondpayScheme{} },
		sign: `  payctl sign diamondpay --secret env:DIAMONDPAY_SECRET < body.json
  payctl sign diamondpay --sign-type HMAC-SHA256 --secret @secret.txt < body.json`,
		check: `  payctl verify diamondpay --secret env:DIAMONDPAY_SECRET --signature "$SIGN" < body.json
  payctl verify diamondpay --sign-type HMAC-SHA256 --secret @secret.txt < callback.json`,
	},
	{
		name: "teemopay", rule: "SHA1withRSA in base64",
		long: `The body is a JSON object without nested objects and lists. "sign", null and blank texts are not signed. The nonce of
the request's header is.`,
		new:  func() scheme { return &teemopayScheme{} },
		sign: `  payctl sign teemopay --private-key merchant_private.pem --nonce 0123456789abcdef0123456789abcdef < body.json`,
		check: `  payctl verify teemopay --public-key platform_public.pem --nonce "$NONCE" < callback.json
  payctl verify teemopay --public-key merchant_public.pem --nonce "$NONCE" --signature "$SIGN" < body.json`,
	},
}

func signCommand(env Env) *cobra.Command {
	parent := group("sign", "Sign a request body", signing[0].sign+"\n"+signing[1].sign+"\n"+signing[2].sign)
	for _, s := range signing {
		scheme := s.new()
		c := &cobra.Command{
			Use: s.name + " < body.json", Short: "Sign a body read from standard input: " + s.rule,
			Long:    "Sign a body read from standard input: " + s.rule + ".\n\n" + s.long,
			Example: s.sign, Args: arguments(),
		}
		scheme.bind(c.Flags(), false)
		asJSON := addJSON(c)
		c.RunE = func(c *cobra.Command, _ []string) error { return sign(c, env, scheme, *asJSON) }
		parent.AddCommand(c)
	}
	return parent
}

func sign(c *cobra.Command, env Env, s scheme, asJSON bool) error {
	if err := s.prepare(env, false); err != nil {
		return err
	}
	body, err := readInput(c.Context(), c.InOrStdin())
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	signature, err := s.sign(body)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(c.OutOrStdout(), map[string]string{"signature": signature})
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), signature)
	return err
}

func verifyCommand(env Env) *cobra.Command {
	parent := group("verify", "Verify the signature of a body", signing[0].check+"\n"+signing[1].check+"\n"+signing[2].check)
	for _, s := range signing {
		scheme := s.new()
		c := &cobra.Command{
			Use: s.name + " < body.json", Short: "Verify the signature of a body read from standard input: " + s.rule,
			Long: "Verify the signature of a body read from standard input: " + s.rule + `. It exits with 0 if the signature is valid and
with 1 if not. Without --signature, the signature in the body is verified; with it, the one in the body is ignored.

` + s.long,
			Example: s.check, Args: arguments(),
		}
		scheme.bind(c.Flags(), true)
		signature := c.Flags().String("signature", "", "the `SIGNATURE`; default: the one in the body")
		asJSON := addJSON(c)
		c.RunE = func(c *cobra.Command, _ []string) error {
			given := signature
			if !c.Flags().Changed("signature") {
				given = nil
			}
			return verify(c, env, scheme, given, *asJSON)
		}
		parent.AddCommand(c)
	}
	return parent
}

func verify(c *cobra.Command, env Env, s scheme, signature *string, asJSON bool) error {
	if err := s.prepare(env, true); err != nil {
		return err
	}
	body, err := readInput(c.Context(), c.InOrStdin())
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	refused, err := s.verify(body, signature)
	if refused != nil && err == nil {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "payctl: warning: the signature is valid, but the worker cannot read this webhook: %v\n", refused)
	}
	if asJSON {
		if written := writeJSON(c.OutOrStdout(), map[string]bool{"valid": err == nil}); written != nil {
			return written
		}
		return err
	}
	if err == nil {
		_, err = fmt.Fprintln(c.OutOrStdout(), "valid")
	}
	return err
}
