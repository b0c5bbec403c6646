package ingest

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"

	"software.sslmate.com/src/go-pkcs12"
)

// readCertificate takes a certificate, and the RSA key it belongs to, from PEM or
// PKCS#12. Its errors quote nothing of what they are about. (The identity library
// cannot read PKCS#12 as OpenSSL 3 writes it.)
func readCertificate(data []byte, password string) ([]*x509.Certificate, crypto.PrivateKey, error) {
	var certificates []*x509.Certificate
	var key crypto.PrivateKey
	var err error
	if block, _ := pem.Decode(data); block != nil {
		certificates, key, err = readPEM(data)
		if err == nil && password != "" {
			err = badCertificate("is PEM, which takes no password", "leave --certificate-password-file away")
		}
	} else {
		certificates, key, err = readPKCS12(data, password)
	}
	if err != nil {
		return nil, nil, err
	}
	if len(certificates) == 0 {
		return nil, nil, badCertificate("holds a key and no certificate", "put the certificate into the same file")
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, nil, badCertificate("has no RSA key, and Microsoft Entra ID takes no other", "make one with openssl req -newkey rsa:3072")
	}
	for _, c := range certificates {
		if private.PublicKey.Equal(c.PublicKey) {
			return certificates, key, nil
		}
	}
	return nil, nil, badCertificate("does not belong to the key beside it", "put the certificate of this key into the same file")
}

// badCertificate must never be given a part of the file.
func badCertificate(problem, hint string) error {
	return &OptionError{Option: "certificate file", Problem: problem, hint: hint}
}

func readPEM(data []byte) (certificates []*x509.Certificate, key crypto.PrivateKey, err error) {
	damaged := func(what string) error {
		return badCertificate("has a damaged "+what, "make the file anew")
	}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		var k crypto.PrivateKey
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, damaged("certificate")
			}
			certificates = append(certificates, c)
			continue
		case "PRIVATE KEY":
			k, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, nil, encryptedPEM()
			}
			k, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			k, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, nil, encryptedPEM()
		default:
			continue
		}
		switch {
		case err != nil:
			return nil, nil, damaged("key")
		case key != nil:
			return nil, nil, badCertificate("holds several keys", "leave one in it")
		}
		key = k
	}
	if key == nil {
		return nil, nil, badCertificate("holds no private key", "put certificate and key into one file: cat cert.pem key.pem")
	}
	return certificates, key, nil
}

func encryptedPEM() error {
	return badCertificate("has an encrypted key in PEM", "turn it into PKCS#12: openssl pkcs12 -export -in FILE -out FILE.pfx")
}

func readPKCS12(data []byte, password string) ([]*x509.Certificate, crypto.PrivateKey, error) {
	key, leaf, chain, err := pkcs12.DecodeChain(data, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, nil, badCertificate("does not open with this password", "give the right one with --certificate-password-file FILE")
	case err != nil:
		return nil, nil, badCertificate("is neither PEM nor PKCS#12 with one certificate and its key", "give a .pem or .pfx file")
	}
	return append([]*x509.Certificate{leaf}, chain...), key, nil
}
