package simulator

import "strconv"

var awsRegions = []string{"eu-central-1", "eu-west-1", "us-east-1"}

func (d *draft) awsRegion() string { return awsRegions[d.key>>13%uint64(len(awsRegions))] }

func (d *draft) awsAccount() string {
	return strconv.FormatUint(100_000_000_000+d.g.seed%800_000_000_000, 10)
}

// awsResource is the ARN that an activity is about.
func (d *draft) awsResource() string {
	switch account := d.awsAccount(); d.act.work {
	case "s3":
		return "arn:aws:s3:::contoso-" + d.file.site + "/" + d.file.folder + "/" + d.file.name
	case "iam", "signin":
		return "arn:aws:iam::" + account + ":user/" + d.other.mailLocal
	case "sts":
		return "arn:aws:iam::" + account + ":role/" + d.awsRole()
	case "kms":
		return "arn:aws:kms:" + d.awsRegion() + ":" + account + ":key/" + newGUID(derive(d.g.seed, 66, d.key%5)).String()
	case "cloudtrail":
		return "arn:aws:cloudtrail:" + d.awsRegion() + ":" + account + ":trail/organization-trail"
	default:
		return "arn:aws:ec2:" + d.awsRegion() + ":" + account + ":instance/i-0" + hexText(derive(d.g.seed, 67, d.key%40), 16)
	}
}

func (d *draft) awsRole() string {
	return []string{"Deploy", "ReadOnly", "Administrator", "Backup"}[d.key>>17%4]
}

// cloudTrail writes a CloudTrail event.
func (d *draft) cloudTrail(o *out) {
	account := d.awsAccount()
	o.str("eventVersion", "1.11")
	d.awsIdentity(o, account)
	o.time("eventTime", d.e.ts, 0, "Z")
	o.str("eventSource", d.act.work+".amazonaws.com")
	o.str("eventName", d.act.op)
	o.str("awsRegion", d.awsRegion())
	o.str("sourceIPAddress", either(d.key&31 == 0, d.act.work+".amazonaws.com", d.net.ip))
	o.str("userAgent", d.tool.raw)
	switch {
	case d.act.failed:
		o.str("errorMessage", "Failed authentication")
	case d.key>>20&31 == 0:
		o.str("errorCode", "AccessDenied")
		o.str("errorMessage", "User is not authorized to perform this action")
	}
	o.key("requestParameters")
	d.awsParameters(o)
	if d.act.work == "signin" {
		o.obj("responseElements")
		o.str("ConsoleLogin", either(d.act.failed, "Failure", "Success"))
		o.end()
	} else {
		o.null("responseElements")
	}
	o.obj("additionalEventData")
	switch d.act.work {
	case "s3":
		o.str("SignatureVersion", "SigV4")
		o.str("CipherSuite", "TLS_AES_128_GCM_SHA256")
		o.raw("bytesTransferredIn", "0.0")
		o.raw("bytesTransferredOut", strconv.FormatInt(d.file.sizeBytes, 10)+".0")
		o.str("x-amz-id-2", string(appendBase64(nil, d.key+70, 64))+"=")
	case "signin":
		o.str("MobileVersion", "No")
		o.str("MFAUsed", either(d.key&1 == 0, "Yes", "No"))
	}
	o.end()
	o.str("requestID", hexText(d.key+71, 16))
	o.guid("eventID", d.record)
	o.bool("readOnly", !d.act.admin)
	if d.act.work == "s3" {
		o.arr("resources")
		o.elem()
		o.str("type", "AWS::S3::Object")
		o.str("ARN", d.awsResource())
		o.end()
		o.stop()
	}
	o.str("eventType", either(d.act.work == "signin", "AwsConsoleSignIn", "AwsApiCall"))
	o.bool("managementEvent", d.act.work != "s3")
	o.str("recipientAccountId", account)
	o.str("eventCategory", either(d.act.work == "s3", "Data", "Management"))
	o.obj("tlsDetails")
	o.str("tlsVersion", "TLSv1.3")
	o.str("cipherSuite", "TLS_AES_128_GCM_SHA256")
	o.str("clientProvidedHostHeader", d.act.work+"."+d.awsRegion()+".amazonaws.com")
	o.end()
}

// awsIdentity writes who it was: a user, or a role that somebody took on.
func (d *draft) awsIdentity(o *out, account string) {
	o.obj("userIdentity")
	if d.act.work == "signin" || d.key&3 == 0 {
		o.str("type", "IAMUser")
		o.str("principalId", "AIDA"+string(appendBase62(nil, uint64(d.who.link)<<9|uint64(len(d.who.upn)), 10)))
		o.str("arn", "arn:aws:iam::"+account+":user/"+d.who.mailLocal)
		o.str("accountId", account)
		o.str("accessKeyId", either(d.act.work == "signin", "", "AKIA"+string(appendBase62(nil, hashText(74, []byte(d.who.upn)), 10))))
		o.str("userName", d.who.mailLocal)
		o.end()
		return
	}
	role := d.awsRole()
	o.str("type", "AssumedRole")
	o.str("principalId", "AROA"+hexText(derive(75, uint64(len(role))), 16)+":"+d.who.upn)
	o.str("arn", "arn:aws:sts::"+account+":assumed-role/"+role+"/"+d.who.upn)
	o.str("accountId", account)
	o.str("accessKeyId", "ASIA"+string(appendBase62(nil, derive(d.key, 76), 10)))
	o.obj("sessionContext")
	o.obj("sessionIssuer")
	o.str("type", "Role")
	o.str("arn", "arn:aws:iam::"+account+":role/"+role)
	o.str("userName", role)
	o.end()
	o.obj("webIdFederationData")
	o.end()
	o.obj("attributes")
	o.time("creationDate", d.e.ts-d.e.ts%3_600_000, 0, "Z")
	o.str("mfaAuthenticated", either(d.key&4 == 0, "true", "false"))
	o.end()
	o.end()
	o.end()
}

// awsParameters writes the parameters of the call: an object, or null.
func (d *draft) awsParameters(o *out) {
	switch d.act.work {
	case "s3":
		o.elem()
		o.str("bucketName", "contoso-"+d.file.site)
		o.str("Host", "contoso-"+d.file.site+".s3.amazonaws.com")
		o.str("key", d.file.folder+"/"+d.file.name)
	case "iam":
		o.elem()
		o.str("userName", d.other.mailLocal)
		o.str("policyArn", "arn:aws:iam::aws:policy/AdministratorAccess")
	case "sts":
		o.elem()
		o.str("roleArn", d.awsResource())
		o.str("roleSessionName", d.who.upn)
		o.int("durationSeconds", 3600)
	case "ec2":
		o.elem()
		o.obj("instancesSet")
		o.arr("items")
		o.elem()
		o.str("instanceId", "i-0"+hexText(derive(d.g.seed, 67, d.key%40), 16))
		o.end()
		o.stop()
		o.end()
	default:
		o.b = append(o.b, "null,"...)
		return
	}
	o.end()
}
