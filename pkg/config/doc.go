// Package config reads the YAML file that ingress, worker and payctl share. [Load] reports the
// problems of the file together, each with its line, and warns of what is risky but works. The settings that only
// a provider's connector can check are read afterwards, by [Config.Connectors].
//
// Any key x of text can be given as x_file, a path relative to the configuration file, and any text can
// hold ${NAME}, which is replaced from the environment ("$$" is a dollar sign). Keys of type
// [secret.Value] take nothing else: a secret written into the YAML itself is refused, and so is one to which an
// editor added something: a byte order mark, a blank at its end, quotes, a second line. Errors and
// [Config.Summary] never show a value that came from a file or from the environment as a secret.
package config
