package timeline

import (
	"fmt"
	"strings"

	"mdcalake/query"
)

// A sentence in SQL: what was done, to what, in which app, from where, with what.
// "downloaded Budget Q3.xlsx from SharePoint, from 203.0.113.7 in Amsterdam (NL),
// Chrome on Windows". The texts of a record go in as they are: who shows them sees
// to it that they do no harm.

// deed is how actions are told.
type deed struct {
	actions string // values of action in small letters, with | between them
	kinds   string // of event_type_name without EVENT_CATEGORY_, where no action is known
	verb    string // opened
	one     string // a file: where it is not known which
	many    string // files: of several; empty: they are not counted in the sentence
	link    string // in: the word before the app
	alone   bool   // the object says nothing
}

// The first ones are found by activity_kind and event_type_name (see deedNumber).
var deeds = []deed{
	{verb: "signed in", link: "to", alone: true},
	{verb: "failed to sign in", link: "to", alone: true},
	{actions: "logout|log out", kinds: "LOGOUT", verb: "signed out", link: "of", alone: true},
	{actions: "fileaccessed|fileaccessedextended|filevisited|open", verb: "opened", one: "a file", many: "files", link: "in"},
	{actions: "filepreviewed|preview", verb: "previewed", one: "a file", many: "files", link: "in"},
	{actions: "filedownloaded|filesyncdownloadedfull|sessiondownload|download", kinds: "DOWNLOAD_FILE", verb: "downloaded", one: "a file", many: "files", link: "from"},
	{actions: "fileuploaded|filesyncuploadedfull|sessionupload|upload", kinds: "UPLOAD_FILE", verb: "uploaded", one: "a file", many: "files", link: "to"},
	{actions: "filemodified|filemodifiedextended", verb: "changed", one: "a file", many: "files", link: "in"},
	{actions: "filedeleted|filedeletedfirststagerecyclebin|filedeletedsecondstagerecyclebin", verb: "deleted", one: "a file", many: "files", link: "in"},
	{actions: "filerecycled", verb: "put into the recycle bin", one: "a file", many: "files", link: "of"},
	{actions: "filerestored", verb: "restored", one: "a file", many: "files", link: "in"},
	{actions: "filerenamed", verb: "renamed", one: "a file", many: "files", link: "in"},
	{actions: "filemoved", verb: "moved", one: "a file", many: "files", link: "in"},
	{actions: "filecopied", verb: "copied", one: "a file", many: "files", link: "in"},
	{actions: "foldercreated", verb: "made the folder", link: "in"},
	{actions: "folderdeleted", verb: "deleted the folder", link: "in"},
	{actions: "sharingset", verb: "shared", one: "something", many: "things", link: "in"},
	{actions: "sharinginvitationcreated", verb: "invited others to", one: "something", link: "in"},
	{actions: "anonymouslinkcreated", verb: "made a link for anybody to", one: "something", link: "in"},
	{actions: "anonymouslinkused", verb: "used a link for anybody to", one: "something", link: "in"},
	{actions: "companylinkcreated", verb: "made a link for the whole company to", one: "something", link: "in"},
	{actions: "securelinkcreated", verb: "made a link for chosen people to", one: "something", link: "in"},
	{actions: "addedtosecurelink", verb: "added somebody to a link to", one: "something", link: "in"},
	{actions: "pageviewed|pageviewedextended", verb: "viewed", one: "a page", many: "pages", link: "in"},
	{actions: "listviewed|listitemviewed", verb: "viewed", one: "a list", many: "lists", link: "in"},
	{actions: "mailitemsaccessed", verb: "read mail of", one: "a mailbox", link: "in"},
	{actions: "send", verb: "sent mail from", one: "a mailbox", link: "in"},
	{actions: "sendas", verb: "sent mail as", one: "another", link: "in"},
	{actions: "sendonbehalf", verb: "sent mail on behalf of", one: "another", link: "in"},
	{actions: "movetodeleteditems", verb: "moved to the deleted items mail of", one: "a mailbox", link: "in"},
	{actions: "softdelete", verb: "deleted mail of", one: "a mailbox", link: "in"},
	{actions: "harddelete", verb: "deleted for good mail of", one: "a mailbox", link: "in"},
	{actions: "mailboxlogin", verb: "signed in to the mailbox", link: "in"},
	{actions: "new-inboxrule", verb: "made the inbox rule", link: "in"},
	{actions: "set-inboxrule", verb: "changed the inbox rule", link: "in"},
	{actions: "updateinboxrules", verb: "changed inbox rules of", one: "a mailbox", link: "in"},
	{actions: "messagesent|messagecreated", verb: "wrote a message in", one: "a conversation", link: "in"},
	{actions: "messagedeleted", verb: "deleted a message in", one: "a conversation", link: "in"},
	{actions: "add user.", kinds: "CREATE_USER", verb: "created the user", link: "in"},
	{actions: "delete user.", kinds: "DELETE_USER", verb: "deleted the user", link: "in"},
	{actions: "update user.", verb: "changed the user", link: "in"},
	{actions: "reset user password.", verb: "reset the password of", one: "a user", link: "in"},
	{actions: "change user password.", verb: "changed the password of", one: "a user", link: "in"},
	{actions: "add member to role.", verb: "gave a role to", one: "a user", link: "in"},
	{actions: "add member to group.", verb: "added to a group", link: "in"},
	{actions: "remove member from group.", verb: "removed from a group", link: "in"},
	{actions: "consent to application.", verb: "consented to the application", link: "in"},
	{kinds: "DELETE_OBJECT", verb: "deleted", one: "something", many: "things", link: "in"},
	{kinds: "VIEW_REPORT", verb: "viewed", one: "a report", many: "reports", link: "in"},
}

const signedIn, failedSignIn = 1, 2

// deedNumber is that of an activity, from 1; NULL: its action is told by name.
var deedNumber = func() string {
	var actions, kinds strings.Builder
	for i, d := range deeds {
		for _, name := range strings.FieldsFunc(d.actions, func(r rune) bool { return r == '|' }) {
			fmt.Fprintf(&actions, " WHEN %s THEN %d", query.Text(name), i+1)
		}
		if d.kinds != "" {
			fmt.Fprintf(&kinds, " WHEN %s THEN %d", query.Text("EVENT_CATEGORY_"+d.kinds), i+1)
		}
	}
	return fmt.Sprintf(`CASE WHEN activity_kind = 'failedLogin' OR event_type_name = 'EVENT_CATEGORY_FAILED_LOGIN' OR activity_kind = 'login' AND NOT coalesce(is_success, true) THEN %d
  WHEN activity_kind = 'login' THEN %d
  ELSE coalesce(CASE lower(trim("action"))%s END, CASE event_type_name WHEN 'EVENT_CATEGORY_LOGIN' THEN %d%s END) END`,
		failedSignIn, signedIn, actions.String(), signedIn, kinds.String())
}()

// ofDeed is a list of texts, looked up by the deed's number; NULL where the text is
// empty.
func ofDeed(text func(deed) string) string {
	texts := make([]string, len(deeds))
	for i, d := range deeds {
		texts[i] = text(d)
	}
	return "nullif(" + string(query.List(texts)) + "[deed], '')"
}

// known is a text, or NULL where it says nothing.
func known(x string) string { return "nullif(nullif(trim(" + x + "), ''), '--')" }

// targetName is the name of what the activity was done to: a file if there is one,
// else the first object that is no actor, no property and not the site around it. Codes of
// objects are inferred from public records: 2 and 4 are roles of actors, 7 is the
// type of a property.
const targetName = `coalesce(
  list_filter(objects, lambda o: coalesce(lower(o.service_object_type) IN ('file', 'folder', 'page', 'listitem') AND trim(o.name) <> '', false))[1].name,
  list_filter(objects, lambda o: coalesce(o.role, 0) NOT IN (2, 4) AND coalesce(o.type, 0) <> 7 AND NOT coalesce(o.service_object_type, '') LIKE '%Site Collection' AND coalesce(trim(o.name), '') <> '')[1].name,
  nullif(regexp_extract(object_id, '([^/]+)/*$', 1), ''))`

// clientName is the family of the user agent and its operating system, without
// versions: an update makes no new client.
var clientName = func() string {
	family := `coalesce(
  CASE upper(browser) WHEN 'IE' THEN 'Internet Explorer' WHEN 'MICROSOFT_ONEDRIVE_FOR_BUSINESS' THEN 'OneDrive' WHEN 'UNKNOWN' THEN NULL WHEN 'OTHER' THEN NULL
    ELSE array_to_string(list_transform(string_split(lower(` + known("browser") + `), '_'), lambda w: upper(w[1]) || w[2:]), ' ') END,
  CASE WHEN regexp_matches(user_agent, 'Edg(e|A|iOS)?/') THEN 'Edge' WHEN regexp_matches(user_agent, 'OPR/') THEN 'Opera' WHEN regexp_matches(user_agent, 'Firefox/|FxiOS/') THEN 'Firefox'
    WHEN regexp_matches(user_agent, 'HeadlessChrome/') THEN 'Headless Chrome' WHEN regexp_matches(user_agent, 'Chrom(e|ium)/|CriOS/') THEN 'Chrome'
    WHEN regexp_matches(user_agent, 'Safari/') THEN 'Safari' WHEN regexp_matches(user_agent, 'Trident/|MSIE ') THEN 'Internet Explorer' END,
  nullif(trim(regexp_extract(user_agent, '^;[^;]*;([^;0-9]{1,60})', 1)), ''),
  nullif(trim(regexp_extract(` + known("user_agent") + `, '^([^/;(]{1,60}?)(?:[/;(]|\s+v?[0-9]|$)', 1)), ''),
  left(` + known("user_agent") + `, 60))`
	os := `nullif(trim(regexp_replace(CASE WHEN lower(os) IN ('unknown', 'other', '--') THEN '' ELSE os END, '\s+v?[0-9].*$', '')), '')`
	return "nullif(concat_ws(' on ', " + family + ", " + os + "), '')"
}()

// placeName is a city and its country, as far as they are known.
var placeName = "coalesce(" + known("city") + " || coalesce(' (' || " + known("country") + " || ')', ''), " + known("country") + ")"

// appShort leaves out what is the same in many names.
const appShort = `CASE lower(app_name) WHEN 'microsoft sharepoint online' THEN 'SharePoint' WHEN 'microsoft exchange online' THEN 'Exchange' WHEN 'microsoft onedrive for business' THEN 'OneDrive' ELSE app_name END`

// told are the parts of a sentence as columns: verb, target (what it was done to, by
// name), phrase (the same as it stands in the sentence), many, behind (all after it) and who.
var told = strings.Join([]string{
	"coalesce(" + ofDeed(func(d deed) string { return d.verb }) + ", CASE WHEN activity_kind = 'run' THEN 'ran \"' ELSE 'did \"' END || coalesce(" + known(`"action"`) + ", " + known("event_type_value") + ", " + known("activity_kind") + ", 'something') || '\"') AS verb",
	"target_name AS target",
	// What holds a comma could pass for the rest of the sentence.
	"coalesce(CASE WHEN deed IS NULL THEN 'on ' ELSE '' END || CASE WHEN contains(target_name, ',') OR contains(target_name, '\"') THEN '\"' || replace(target_name, '\"', '''') || '\"' ELSE target_name END, " +
		ofDeed(func(d deed) string { return d.one }) + ") AS phrase",
	ofDeed(func(d deed) string { return d.many }) + " AS many",
	"concat(' ' || coalesce(" + ofDeed(func(d deed) string { return d.link }) + ", 'in') || ' ' || app_short," +
		" CASE WHEN address IS NOT NULL THEN ', from ' || address || coalesce(' in ' || place, '') ELSE ', from ' || place END," +
		" ', ' || client," +
		fmt.Sprintf(" CASE WHEN deed = %d THEN ' (' || "+known("result_message")+" || ')' WHEN NOT is_success THEN ' [failed' || coalesce(': ' || "+known("result_message")+", '') || ']' END) AS behind", failedSignIn),
	"coalesce(" + known("user_name") + ", " + known("actor_name") + ", " + known("actor_id") + ", 'somebody') AS who",
}, ",\n  ")

// sentence puts the parts together; with its subject, where that is asked for.
func sentence(subject bool) string {
	s := "concat(verb, ' ' || phrase, behind)"
	if subject {
		s = "concat(who, ' ', verb, ' ' || phrase, behind)"
	}
	return s
}

// target is the name, where the deed has an object.
func target() string {
	var alone []string
	for i, d := range deeds {
		if d.alone {
			alone = append(alone, fmt.Sprint(i+1))
		}
	}
	return "CASE WHEN coalesce(deed, 0) NOT IN (" + strings.Join(alone, ", ") + ") THEN " + known("object_name") + " END"
}
