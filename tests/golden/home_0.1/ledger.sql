-- Written by version 0.1.0 (ledger 0011): order O1, job orders running and refused, a dead letter.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0011');
CREATE TABLE alert_notices (
	alert_id VARCHAR(64) NOT NULL, 
	target VARCHAR(64) NOT NULL, 
	severity INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_alert_notices PRIMARY KEY (alert_id, target), 
	CONSTRAINT fk_alert_notices_alert_id FOREIGN KEY(alert_id) REFERENCES alerts (alert_id)
);
CREATE TABLE alerts (
	alert_id VARCHAR(64) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	subject VARCHAR(200) NOT NULL, 
	factory_id VARCHAR(64) NOT NULL, 
	severity INTEGER NOT NULL, 
	cause TEXT NOT NULL, 
	move TEXT NOT NULL, 
	job_order_ids JSON NOT NULL, 
	order_ids JSON NOT NULL, 
	opened_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	closed_at DATETIME, 
	CONSTRAINT pk_alerts PRIMARY KEY (alert_id)
);
CREATE TABLE audit (
	factory_id VARCHAR(64) NOT NULL, 
	position INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	event VARCHAR(20) NOT NULL, 
	message_id VARCHAR(200) NOT NULL, 
	type VARCHAR(200) NOT NULL, 
	job_order_id VARCHAR(64) NOT NULL, 
	actor VARCHAR(200) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	detail TEXT NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (factory_id, position)
);
INSERT INTO "audit" VALUES('F1',1,'2026-11-29 14:26:18.020710','written','850233fc-0a3b-5ea6-92f3-924697152b4e','c2m.job-order.store','6f728c2f-18ee-5dd2-aeec-083c0d809df0','ops','209e044acccd514c969c526e7a47dd69e2e10821664000765732091f6c9a39a3','','b72d8bc2a2311967c68d6cf9ebfdb68595e3537c4ff8a02da276f809e793a356');
INSERT INTO "audit" VALUES('F2',1,'2026-11-29 14:26:18.020710','written','893b6ad3-d9e0-5ea4-bdf9-4937514a4bd5','c2m.job-order.store','f855d58f-4d9b-5772-9990-8eaffed1f3d2','ops','bfdf76715cdcbf856005c37c8fe43528b269b0a45164af930d629c7bed742a22','','0d378eff14a94f20acfa6c784a5882211bea59e26cdabde4d1062f126fcf95d2');
INSERT INTO "audit" VALUES('F1',2,'2026-11-29 14:26:18.472739','sent','850233fc-0a3b-5ea6-92f3-924697152b4e','c2m.job-order.store','6f728c2f-18ee-5dd2-aeec-083c0d809df0','c2m/platform','209e044acccd514c969c526e7a47dd69e2e10821664000765732091f6c9a39a3','attempt 1','c197dc6e76e0ef0310a8e050201ba1d6ff7358ca4b9ade4d99469b2522f71521');
INSERT INTO "audit" VALUES('F2',2,'2026-11-29 14:26:18.472739','sent','893b6ad3-d9e0-5ea4-bdf9-4937514a4bd5','c2m.job-order.store','f855d58f-4d9b-5772-9990-8eaffed1f3d2','c2m/platform','bfdf76715cdcbf856005c37c8fe43528b269b0a45164af930d629c7bed742a22','attempt 1','6b5bb326429f5935c1906def954e1d66bd262e77b610b54b086d9ded02d59510');
INSERT INTO "audit" VALUES('F1',3,'2026-11-29 14:26:20.432742','written','1db01327-251b-5002-a28f-893886837a62','c2m.job-order.start','6f728c2f-18ee-5dd2-aeec-083c0d809df0','c2m/platform','cc024b53c264a91c9bcca129533af62eeb47c7d8c4ad7cb2b59d5bdc7638083f','','f7b2fb5ddc84576a25e2de7e4ad4255413f771bc8d0493c56e7d2ae1b56a37a2');
INSERT INTO "audit" VALUES('F1',4,'2026-11-29 14:26:20.432742','received','efa4139d-63c1-563f-b3c5-2481f1a09f86','c2m.job-response','6f728c2f-18ee-5dd2-aeec-083c0d809df0','c2m/factory/F1','b4cbdde7f513d1be928b2790f37e4324f8c7488e39c980fbae58e28d43a510ec','accepted','2066494dd74502b2491df55090ff14973d4ba2a6e49db32246529cc56e8fe0d4');
INSERT INTO "audit" VALUES('F1',5,'2026-11-29 14:26:20.576134','received','6b5198e2-0692-5368-ba18-ed34942d308a','c2m.job-response','6f728c2f-18ee-5dd2-aeec-083c0d809df0','c2m/factory/F1','d862cd0f07be5a435f9e50be96ba558974f332f60dfbf2fa45a36f7a61c67139','progressed','91e1e8e99bce9dc8cdb842aaccbc405c35f7a66aed49c55519d09170df3a51ea');
INSERT INTO "audit" VALUES('F1',6,'2026-11-29 14:26:20.881063','received','2805fac9-40cb-5256-a6f9-b0e1b12eeac1','c2m.job-response','6f728c2f-18ee-5dd2-aeec-083c0d809df0','c2m/factory/F1','785f57148289755f676f68f598016b1b7839f077316c1e1694b2d597720feaa7','progressed','c3cb070044a8f63cd351f91bf38406faba9f88ec0a4a90bf4241771b4225e1e7');
INSERT INTO "audit" VALUES('F2',3,'2026-11-29 14:26:22.868332','received','8d2a18d9-51a4-5201-b82d-eb4b7d2db84d','c2m.job-response','f855d58f-4d9b-5772-9990-8eaffed1f3d2','c2m/factory/F2','ed327001220617d03e3e19020de127babd5b866b2db5bef3c75a23b184959d3f','refused','9ce490e148d233844f783b2e56b8a8e621fa87f13b9a226e5feb37736fc95440');
INSERT INTO "audit" VALUES('F2',4,'2026-11-29 14:26:22.964511','dead-letter','06fcd38e-b3d4-56c6-a75b-5d741317ff53','c2m/v1/F2/scans','','c2m/v1/F2/scans','021fb596db81e6d02bf3d2586ee3981fe519f275c0ac9ca76bbcf2ebb4097d96','no JSON','4fd8f54ca3267ed46678f1209824c9fa9e8f8b911d8ebcbf8da75472dc40d6a0');
CREATE TABLE dead_letters (
	letter_id VARCHAR(64) NOT NULL, 
	factory_id VARCHAR(200) NOT NULL, 
	topic TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	at DATETIME NOT NULL, size_bytes INTEGER DEFAULT '0' NOT NULL, digest VARCHAR(64) DEFAULT '' NOT NULL, readmitted_at DATETIME, actor VARCHAR(200), result TEXT, 
	CONSTRAINT pk_dead_letters PRIMARY KEY (letter_id)
);
INSERT INTO "dead_letters" VALUES('06fcd38e-b3d4-56c6-a75b-5d741317ff53','F2','c2m/v1/F2/scans','{','no JSON','2026-01-05 08:00:00.000000',1,'021fb596db81e6d02bf3d2586ee3981fe519f275c0ac9ca76bbcf2ebb4097d96',NULL,NULL,NULL);
CREATE TABLE decisions (
	decision_id VARCHAR(64) NOT NULL, 
	plan_id VARCHAR(64) NOT NULL, 
	decision VARCHAR(20) NOT NULL, 
	actor VARCHAR(200) NOT NULL, 
	reason TEXT NOT NULL, 
	without_lots JSON NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_decisions PRIMARY KEY (decision_id), 
	CONSTRAINT fk_decisions_plan_id FOREIGN KEY(plan_id) REFERENCES plans (plan_id), 
	CONSTRAINT ck_decisions_decision CHECK (decision IN ('released', 'rejected'))
);
INSERT INTO "decisions" VALUES('6b26b17b-97ff-5a42-9925-ec20b4361615','dfe66f1c-acb0-5c51-b783-1e523b7f2da0','released','ops','fits','[]','2026-01-05 08:00:00.000000');
CREATE TABLE factory_reports (
	factory_id VARCHAR(64) NOT NULL, 
	collector VARCHAR(200) NOT NULL, 
	through DATETIME NOT NULL, 
	CONSTRAINT pk_factory_reports PRIMARY KEY (factory_id, collector)
);
CREATE TABLE factory_status (
	factory_id VARCHAR(64) NOT NULL, 
	online BOOLEAN NOT NULL, 
	through DATETIME, 
	at DATETIME NOT NULL, version INTEGER DEFAULT '1' NOT NULL, 
	CONSTRAINT pk_factory_status PRIMARY KEY (factory_id)
);
CREATE TABLE inbox (
	source VARCHAR(200) NOT NULL, 
	message_id VARCHAR(200) NOT NULL, 
	type VARCHAR(40) NOT NULL, 
	factory_id VARCHAR(64) NOT NULL, 
	effect VARCHAR(40) NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_inbox PRIMARY KEY (source, message_id)
);
INSERT INTO "inbox" VALUES('c2m/factory/F1','efa4139d-63c1-563f-b3c5-2481f1a09f86','c2m.job-response','F1','accepted','2026-01-05 09:00:00.000000');
INSERT INTO "inbox" VALUES('c2m/factory/F1','6b5198e2-0692-5368-ba18-ed34942d308a','c2m.job-response','F1','progressed','2026-01-05 10:00:00.000000');
INSERT INTO "inbox" VALUES('c2m/factory/F1','2805fac9-40cb-5256-a6f9-b0e1b12eeac1','c2m.job-response','F1','progressed','2026-01-05 11:00:00.000000');
INSERT INTO "inbox" VALUES('c2m/factory/F2','8d2a18d9-51a4-5201-b82d-eb4b7d2db84d','c2m.job-response','F2','refused','2026-01-05 09:00:00.000000');
CREATE TABLE job_order_revisions (
	job_order_id VARCHAR(64) NOT NULL, 
	revision INTEGER NOT NULL, 
	plan_id VARCHAR(64) NOT NULL, 
	quantity INTEGER NOT NULL, 
	started INTEGER NOT NULL, 
	CONSTRAINT pk_job_order_revisions PRIMARY KEY (job_order_id, revision), 
	CONSTRAINT fk_job_order_revisions_job_order_id FOREIGN KEY(job_order_id) REFERENCES job_orders (job_order_id), 
	CONSTRAINT fk_job_order_revisions_plan_id FOREIGN KEY(plan_id) REFERENCES plans (plan_id)
);
INSERT INTO "job_order_revisions" VALUES('6f728c2f-18ee-5dd2-aeec-083c0d809df0',1,'dfe66f1c-acb0-5c51-b783-1e523b7f2da0',600,0);
INSERT INTO "job_order_revisions" VALUES('f855d58f-4d9b-5772-9990-8eaffed1f3d2',1,'dfe66f1c-acb0-5c51-b783-1e523b7f2da0',400,0);
CREATE TABLE job_order_skus (
	job_order_id VARCHAR(64) NOT NULL, 
	sku_id VARCHAR(64) NOT NULL, 
	quantity INTEGER NOT NULL, 
	good_pieces INTEGER NOT NULL, 
	shipped INTEGER NOT NULL, 
	CONSTRAINT pk_job_order_skus PRIMARY KEY (job_order_id, sku_id), 
	CONSTRAINT ck_job_order_skus_pieces CHECK (quantity >= 0 AND shipped >= 0), 
	CONSTRAINT fk_job_order_skus_job_order_id FOREIGN KEY(job_order_id) REFERENCES job_orders (job_order_id)
);
INSERT INTO "job_order_skus" VALUES('6f728c2f-18ee-5dd2-aeec-083c0d809df0','K0',240,0,0);
INSERT INTO "job_order_skus" VALUES('6f728c2f-18ee-5dd2-aeec-083c0d809df0','K1',180,0,0);
INSERT INTO "job_order_skus" VALUES('6f728c2f-18ee-5dd2-aeec-083c0d809df0','K2',120,0,0);
INSERT INTO "job_order_skus" VALUES('6f728c2f-18ee-5dd2-aeec-083c0d809df0','K3',60,0,0);
INSERT INTO "job_order_skus" VALUES('f855d58f-4d9b-5772-9990-8eaffed1f3d2','K0',160,0,0);
INSERT INTO "job_order_skus" VALUES('f855d58f-4d9b-5772-9990-8eaffed1f3d2','K1',120,0,0);
INSERT INTO "job_order_skus" VALUES('f855d58f-4d9b-5772-9990-8eaffed1f3d2','K2',80,0,0);
INSERT INTO "job_order_skus" VALUES('f855d58f-4d9b-5772-9990-8eaffed1f3d2','K3',40,0,0);
CREATE TABLE job_orders (
	job_order_id VARCHAR(64) NOT NULL, 
	lot_id VARCHAR(64) NOT NULL, 
	order_id VARCHAR(64) NOT NULL, 
	merchant_id VARCHAR(64) NOT NULL, 
	factory_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	revision INTEGER NOT NULL, 
	quantity INTEGER NOT NULL, 
	requested INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	answered_revision INTEGER NOT NULL, 
	sequence INTEGER NOT NULL, 
	confirmed_revision INTEGER NOT NULL, 
	accepted BOOLEAN, 
	reason TEXT NOT NULL, 
	accept_by DATETIME NOT NULL, 
	start_on DATE NOT NULL, 
	due_on DATE NOT NULL, 
	good_pieces INTEGER NOT NULL, 
	shipped INTEGER NOT NULL, 
	defects INTEGER NOT NULL, 
	ended_at DATETIME, 
	counted BOOLEAN NOT NULL, 
	at DATETIME NOT NULL, rank BIGINT, agreed_rank BIGINT, ranked_revision INTEGER DEFAULT '0' NOT NULL, begun_at DATETIME, 
	CONSTRAINT pk_job_orders PRIMARY KEY (job_order_id), 
	CONSTRAINT ck_job_orders_pieces CHECK (quantity >= 0 AND shipped >= 0), 
	CONSTRAINT fk_job_orders_lot_id FOREIGN KEY(lot_id) REFERENCES lots (lot_id), 
	CONSTRAINT fk_job_orders_order_id FOREIGN KEY(order_id) REFERENCES orders (order_id), 
	CONSTRAINT uq_job_orders_lot_id_factory_id_attempt UNIQUE (lot_id, factory_id, attempt), 
	CONSTRAINT ck_job_orders_state CHECK (state IN ('Released', 'NotAllowedToStart', 'AllowedToStart', 'Running', 'Interrupted', 'Ended', 'Aborted', 'Refused', 'Expired', 'Cancelled'))
);
INSERT INTO "job_orders" VALUES('6f728c2f-18ee-5dd2-aeec-083c0d809df0','L1','O1','M1','F1',1,1,600,600,'Running',1,3,1,1,'','2026-01-05 20:00:00.000000','2026-01-06','2026-01-13',0,0,0,NULL,0,'2026-01-05 11:00:00.000000',NULL,NULL,0,'2026-01-05 11:00:00.000000');
INSERT INTO "job_orders" VALUES('f855d58f-4d9b-5772-9990-8eaffed1f3d2','L1','O1','M1','F2',1,1,400,400,'Refused',1,1,0,0,'','2026-01-05 20:00:00.000000','2026-01-06','2026-01-13',0,0,0,'2026-01-05 09:00:00.000000',1,'2026-01-05 09:00:00.000000',NULL,NULL,0,NULL);
CREATE TABLE lot_skus (
	lot_id VARCHAR(64) NOT NULL, 
	sku_id VARCHAR(64) NOT NULL, 
	quantity INTEGER NOT NULL, 
	shipped INTEGER NOT NULL, size VARCHAR(200), 
	CONSTRAINT pk_lot_skus PRIMARY KEY (lot_id, sku_id), 
	CONSTRAINT ck_lot_skus_pieces CHECK (quantity >= 0 AND shipped >= 0), 
	CONSTRAINT fk_lot_skus_lot_id FOREIGN KEY(lot_id) REFERENCES lots (lot_id)
);
INSERT INTO "lot_skus" VALUES('L1','K0',400,0,NULL);
INSERT INTO "lot_skus" VALUES('L1','K1',300,0,NULL);
INSERT INTO "lot_skus" VALUES('L1','K2',200,0,NULL);
INSERT INTO "lot_skus" VALUES('L1','K3',100,0,NULL);
CREATE TABLE lots (
	lot_id VARCHAR(64) NOT NULL, 
	order_id VARCHAR(64) NOT NULL, 
	merchant_id VARCHAR(64) NOT NULL, 
	style_id VARCHAR(64) NOT NULL, 
	colour VARCHAR(200) NOT NULL, 
	category VARCHAR(200) NOT NULL, 
	crafts VARCHAR(200) NOT NULL, 
	quantity INTEGER NOT NULL, 
	unit_value VARCHAR(24) NOT NULL, 
	unit_cost_basis VARCHAR(24) NOT NULL, 
	sam_cut_minutes DOUBLE NOT NULL, 
	sam_sew_minutes DOUBLE NOT NULL, 
	sam_finish_minutes DOUBLE NOT NULL, 
	sam_inspect_minutes DOUBLE NOT NULL, 
	sam_pack_minutes DOUBLE NOT NULL, 
	sam_minutes DOUBLE NOT NULL, 
	shipped INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	at DATETIME NOT NULL, style_name VARCHAR(200), specification_url TEXT, 
	CONSTRAINT pk_lots PRIMARY KEY (lot_id), 
	CONSTRAINT ck_lots_pieces CHECK (quantity >= 0 AND shipped >= 0), 
	CONSTRAINT fk_lots_order_id FOREIGN KEY(order_id) REFERENCES orders (order_id), 
	CONSTRAINT ck_lots_state CHECK (state IN ('open', 'in_production', 'closed', 'cancelled'))
);
INSERT INTO "lots" VALUES('L1','O1','M1','S1','red','tops','',1000,'12.3457','5.1000',1.5,1.5,1.5,1.5,1.5,7.5,0,'in_production','2026-01-05 11:00:00.000000',NULL,NULL);
CREATE TABLE order_quantities (
	lot_id VARCHAR(64) NOT NULL, 
	order_id VARCHAR(64) NOT NULL, 
	merchant_id VARCHAR(64) NOT NULL, 
	style_id VARCHAR(64) NOT NULL, 
	colour VARCHAR(200) NOT NULL, 
	business_date DATE NOT NULL, 
	build_id VARCHAR(64) NOT NULL, 
	model_version VARCHAR(200) NOT NULL, 
	forecast_at DATETIME NOT NULL, 
	window_days INTEGER NOT NULL, 
	forecast_mean DOUBLE NOT NULL, 
	q05 DOUBLE NOT NULL, 
	q10 DOUBLE NOT NULL, 
	q20 DOUBLE NOT NULL, 
	q30 DOUBLE NOT NULL, 
	q40 DOUBLE NOT NULL, 
	q50 DOUBLE NOT NULL, 
	q60 DOUBLE NOT NULL, 
	q70 DOUBLE NOT NULL, 
	q80 DOUBLE NOT NULL, 
	q90 DOUBLE NOT NULL, 
	q95 DOUBLE NOT NULL, 
	q975 DOUBLE NOT NULL, 
	price VARCHAR(24) NOT NULL, 
	cost VARCHAR(24) NOT NULL, 
	currency VARCHAR(3) NOT NULL, 
	salvage_share DOUBLE NOT NULL, 
	holding_share_per_day DOUBLE NOT NULL, 
	critical_ratio DOUBLE NOT NULL, 
	level DOUBLE NOT NULL, 
	needed DOUBLE NOT NULL, 
	trigger_share DOUBLE NOT NULL, 
	minimum_order_pieces INTEGER NOT NULL, 
	lot_quantity INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_order_quantities PRIMARY KEY (lot_id), 
	CONSTRAINT fk_order_quantities_lot_id FOREIGN KEY(lot_id) REFERENCES lots (lot_id)
);
CREATE TABLE order_quantity_skus (
	lot_id VARCHAR(64) NOT NULL, 
	sku_id VARCHAR(64) NOT NULL, 
	sku_colour VARCHAR(200) NOT NULL, 
	size_share DOUBLE NOT NULL, 
	on_hand INTEGER NOT NULL, 
	on_order INTEGER NOT NULL, 
	lacking DOUBLE NOT NULL, 
	quantity INTEGER NOT NULL, 
	CONSTRAINT pk_order_quantity_skus PRIMARY KEY (lot_id, sku_id), 
	CONSTRAINT fk_order_quantity_skus_lot_id FOREIGN KEY(lot_id) REFERENCES order_quantities (lot_id)
);
CREATE TABLE orders (
	order_id VARCHAR(64) NOT NULL, 
	merchant_id VARCHAR(64) NOT NULL, 
	source VARCHAR(20) NOT NULL, 
	parent_order_id VARCHAR(64), 
	placed_on DATE NOT NULL, 
	release_on DATE, 
	due_on DATE NOT NULL, 
	priority INTEGER, 
	tolerance_share DOUBLE NOT NULL, 
	max_factories INTEGER, 
	currency VARCHAR(3) NOT NULL, 
	destination_latitude DOUBLE, 
	destination_longitude DOUBLE, 
	state VARCHAR(20) NOT NULL, 
	closed_at DATETIME, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_orders PRIMARY KEY (order_id), 
	CONSTRAINT ck_orders_source CHECK (source IN ('merchant', 'replenishment')), 
	CONSTRAINT ck_orders_state CHECK (state IN ('open', 'in_production', 'closed', 'cancelled'))
);
INSERT INTO "orders" VALUES('O1','M1','merchant',NULL,'2026-01-01',NULL,'2026-01-20',NULL,0.02,NULL,'USD',52.1,NULL,'in_production',NULL,'2026-01-05 11:00:00.000000');
CREATE TABLE outbox (
	message_id VARCHAR(64) NOT NULL, 
	factory_id VARCHAR(64) NOT NULL, 
	job_order_id VARCHAR(64) NOT NULL, 
	revision INTEGER NOT NULL, 
	type VARCHAR(40) NOT NULL, 
	payload JSON NOT NULL, 
	position INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_attempt_at DATETIME, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_outbox PRIMARY KEY (message_id), 
	CONSTRAINT fk_outbox_job_order_id FOREIGN KEY(job_order_id) REFERENCES job_orders (job_order_id), 
	CONSTRAINT uq_outbox_factory_id_position UNIQUE (factory_id, position), 
	CONSTRAINT ck_outbox_state CHECK (state IN ('pending', 'sent', 'answered', 'void'))
);
INSERT INTO "outbox" VALUES('850233fc-0a3b-5ea6-92f3-924697152b4e','F1','6f728c2f-18ee-5dd2-aeec-083c0d809df0',1,'c2m.job-order.store','{"specversion": "1.0", "id": "850233fc-0a3b-5ea6-92f3-924697152b4e", "source": "c2m/platform", "time": "2026-01-05T08:00:00Z", "datacontenttype": "application/json", "type": "c2m.job-order.store", "data": {"job_order_id": "6f728c2f-18ee-5dd2-aeec-083c0d809df0", "revision": 1, "order_id": "O1", "merchant_id": "M1", "style_id": "S1", "category": "tops", "quantity": 600, "quantity_by_sku": {"K0": 240, "K1": 180, "K2": 120, "K3": 60}, "start_on": "2026-01-06", "due_on": "2026-01-13", "accept_by": "2026-01-05T20:00:00Z", "operations": [{"name": "cut", "sam_minutes": 1.5}, {"name": "sew", "sam_minutes": 1.5}, {"name": "finish", "sam_minutes": 1.5}, {"name": "inspect", "sam_minutes": 1.5}, {"name": "pack", "sam_minutes": 1.5}, {"name": "ship", "sam_minutes": 0.0}], "destination": {"latitude": 52.1}}}',1,'answered',1,'2026-01-05 08:01:00.000000','2026-01-05 08:00:00.000000');
INSERT INTO "outbox" VALUES('893b6ad3-d9e0-5ea4-bdf9-4937514a4bd5','F2','f855d58f-4d9b-5772-9990-8eaffed1f3d2',1,'c2m.job-order.store','{"specversion": "1.0", "id": "893b6ad3-d9e0-5ea4-bdf9-4937514a4bd5", "source": "c2m/platform", "time": "2026-01-05T08:00:00Z", "datacontenttype": "application/json", "type": "c2m.job-order.store", "data": {"job_order_id": "f855d58f-4d9b-5772-9990-8eaffed1f3d2", "revision": 1, "order_id": "O1", "merchant_id": "M1", "style_id": "S1", "category": "tops", "quantity": 400, "quantity_by_sku": {"K0": 160, "K1": 120, "K2": 80, "K3": 40}, "start_on": "2026-01-06", "due_on": "2026-01-13", "accept_by": "2026-01-05T20:00:00Z", "operations": [{"name": "cut", "sam_minutes": 1.5}, {"name": "sew", "sam_minutes": 1.5}, {"name": "finish", "sam_minutes": 1.5}, {"name": "inspect", "sam_minutes": 1.5}, {"name": "pack", "sam_minutes": 1.5}, {"name": "ship", "sam_minutes": 0.0}], "destination": {"latitude": 52.1}}}',1,'answered',1,'2026-01-05 08:01:00.000000','2026-01-05 08:00:00.000000');
INSERT INTO "outbox" VALUES('1db01327-251b-5002-a28f-893886837a62','F1','6f728c2f-18ee-5dd2-aeec-083c0d809df0',1,'c2m.job-order.start','{"specversion": "1.0", "id": "1db01327-251b-5002-a28f-893886837a62", "source": "c2m/platform", "time": "2026-01-05T09:00:00Z", "datacontenttype": "application/json", "type": "c2m.job-order.start", "data": {"job_order_id": "6f728c2f-18ee-5dd2-aeec-083c0d809df0", "revision": 1}}',2,'answered',0,NULL,'2026-01-05 09:00:00.000000');
CREATE TABLE plan_allocations (
	plan_id VARCHAR(64) NOT NULL, 
	lot_id VARCHAR(64) NOT NULL, 
	factory_id VARCHAR(64) NOT NULL, 
	quantity INTEGER NOT NULL, 
	start_on DATE NOT NULL, 
	finish_on DATE NOT NULL, 
	withheld BOOLEAN NOT NULL, place INTEGER, price VARCHAR(24), currency VARCHAR(3), 
	CONSTRAINT pk_plan_allocations PRIMARY KEY (plan_id, lot_id, factory_id), 
	CONSTRAINT fk_plan_allocations_lot_id FOREIGN KEY(lot_id) REFERENCES lots (lot_id), 
	CONSTRAINT fk_plan_allocations_plan_id FOREIGN KEY(plan_id) REFERENCES plans (plan_id)
);
INSERT INTO "plan_allocations" VALUES('dfe66f1c-acb0-5c51-b783-1e523b7f2da0','L1','F1',600,'2026-01-06','2026-01-13',0,NULL,NULL,NULL);
INSERT INTO "plan_allocations" VALUES('dfe66f1c-acb0-5c51-b783-1e523b7f2da0','L1','F2',400,'2026-01-06','2026-01-13',0,NULL,NULL,NULL);
CREATE TABLE plans (
	plan_id VARCHAR(64) NOT NULL, 
	business_date DATE NOT NULL, 
	round INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	objective VARCHAR(24) NOT NULL, 
	bound VARCHAR(24) NOT NULL, 
	gap DOUBLE NOT NULL, 
	status VARCHAR(200) NOT NULL, 
	split_orders INTEGER NOT NULL, 
	unmet_pieces INTEGER NOT NULL, 
	instance_sha256 VARCHAR(64) NOT NULL, 
	model_version VARCHAR(200), 
	folder TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_plans PRIMARY KEY (plan_id), 
	CONSTRAINT ck_plans_state CHECK (state IN ('proposed', 'released', 'rejected', 'superseded'))
);
INSERT INTO "plans" VALUES('dfe66f1c-acb0-5c51-b783-1e523b7f2da0','2026-01-05',1,'released','1234.5000','1200.0000',0.028,'feasible',1,0,'sha1','7','runs/x','2026-01-05 08:00:00.000000');
CREATE TABLE promise_factories (
	plan_id VARCHAR(64) NOT NULL, 
	order_id VARCHAR(64) NOT NULL, 
	factory_id VARCHAR(64) NOT NULL, 
	transit_days INTEGER NOT NULL, 
	CONSTRAINT pk_promise_factories PRIMARY KEY (plan_id, order_id, factory_id), 
	CONSTRAINT fk_promise_factories_plan_id FOREIGN KEY(plan_id, order_id) REFERENCES promises (plan_id, order_id)
);
CREATE TABLE promises (
	plan_id VARCHAR(64) NOT NULL, 
	order_id VARCHAR(64) NOT NULL, 
	merchant_id VARCHAR(64) NOT NULL, 
	pieces INTEGER NOT NULL, 
	unplaced INTEGER NOT NULL, 
	planned_on DATE NOT NULL, 
	promised_on DATE NOT NULL, 
	modelled DOUBLE NOT NULL, 
	probability DOUBLE NOT NULL, 
	made_at DATETIME, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_promises PRIMARY KEY (plan_id, order_id), 
	CONSTRAINT fk_promises_plan_id FOREIGN KEY(plan_id) REFERENCES plans (plan_id), 
	CONSTRAINT fk_promises_order_id FOREIGN KEY(order_id) REFERENCES orders (order_id)
);
CREATE TABLE relay_leases (
	factory_id VARCHAR(64) NOT NULL, 
	relay VARCHAR(200) NOT NULL, 
	until DATETIME NOT NULL, 
	CONSTRAINT pk_relay_leases PRIMARY KEY (factory_id)
);
CREATE INDEX ix_orders_merchant_id ON orders (merchant_id);
CREATE INDEX ix_plans_business_date ON plans (business_date);
CREATE INDEX ix_lots_order_id ON lots (order_id);
CREATE INDEX ix_lots_state ON lots (state);
CREATE INDEX ix_job_orders_factory_id_state ON job_orders (factory_id, state);
CREATE INDEX ix_audit_job_order_id ON audit (job_order_id);
CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE INDEX ix_relay_leases_relay ON relay_leases (relay);
CREATE INDEX ix_dead_letters_digest ON dead_letters (digest);
CREATE INDEX ix_outbox_type_state ON outbox (type, state);
CREATE INDEX ix_outbox_job_order_id_state ON outbox (job_order_id, state);
CREATE INDEX ix_outbox_untried ON outbox (position, factory_id) WHERE state = 'pending' AND next_attempt_at IS NULL;
CREATE INDEX ix_outbox_tried ON outbox (state, next_attempt_at, position) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX ix_job_orders_state_accept_by ON job_orders (state, accept_by);
CREATE INDEX ix_alerts_closed_at ON alerts (closed_at);
CREATE INDEX ix_order_quantities_business_date ON order_quantities (business_date);
CREATE INDEX ix_promises_order_id ON promises (order_id);
COMMIT;
